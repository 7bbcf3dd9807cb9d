"""The conformance suite leaves nothing at a root, whatever happens to a check."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.local_oakestra import Client, World, a_microservice

TESTS = Path(__file__).parents[2]
CHECK = """
import os, signal

def test_that_goes_wrong(root):
    for _ in range(2):
        service = root.create_service(hook=None)
        for _ in range(3):
            root.deploy(service)
    {end}
"""
ENDS = {"a failed check": "assert False", "a signal": "os.kill(os.getpid(), signal.SIGTERM)"}


@pytest.mark.parametrize("end", ENDS)
def test_a_root_is_left_as_it_was_after(world: World, client: Client, tmp_path: Path, end: str):
    application = client.create_application("theirs", a_microservice())
    before = client.request("GET", "/api/applications/").json()
    check = tmp_path / "test_that_goes_wrong.py"
    check.write_text(CHECK.format(end=ENDS[end]))

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "support.conformance_fixtures", str(check)],
        env={
            **os.environ,
            "PYTHONPATH": str(TESTS),
            "ROOT_URL": world.url,
            "ROOT_PASSWORD": "Admin",
            "ROOT_IMAGE": world.image("anything", "replaced"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode in {1, 2}, run.stdout
    assert "not as it was" not in run.stdout
    assert client.request("GET", "/api/applications/").json() == before
    assert application in before
    assert world.running() == []

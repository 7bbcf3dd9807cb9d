"""Follow the documentation as a reader does: the commands of each page, in a running suite."""

import json
import os
import subprocess
import sys

import pytest

from flops_cli.local.suite import ADMIN
from support.doc_blocks import ROOT, blocks
from support.suite import a_repository, running_world

pytestmark = pytest.mark.docs

ROOM = {"vcpus": 16, "memory_mb": 16_384}
WORLDS = {
    "": [{"cluster": "local", "nodes": [{"name": "node-1", **ROOM}]}],
    "two clusters": [
        {"cluster": "east", "nodes": [{"name": "e1", **ROOM}, {"name": "e2", **ROOM}]},
        {"cluster": "west", "nodes": [{"name": "w1", **ROOM}, {"name": "w2", **ROOM}]},
    ],
}
RUNS = [block for block in blocks() if block.runs]
LIMIT_SECONDS = 400


@pytest.fixture(scope="module")
def world(request, tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("world"), WORLDS[request.param]) as world:
        world.name = request.param
        yield world


@pytest.fixture(scope="module")
def readers_files(world, tmp_path_factory):
    """Return a folder with the checkout's docs/ and what a page takes for granted: an SLA."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "docs").symlink_to(ROOT / "docs")
    world.provide("mnist", partitions=2)
    sla = {
        "customerID": ADMIN,
        "ml_repo_url": a_repository(folder / "digits"),
        "ml_model_flavor": "sklearn",
        "training_configuration": {"data_tags": ["mnist"], "training_rounds": 1},
    }
    (folder / "digits.json").write_text(json.dumps(sla), encoding="utf-8")
    return folder


def environment(world):
    """Return the commands that `make up` prints for a second terminal."""
    network = world.suite.network
    return {
        **os.environ,
        "PATH": f"{ROOT / '.flops/envs/cli/bin'}:{os.environ['PATH']}",
        "FLOPS_API_URL": network.api_url,
        "FLOPS_OAKESTRA_URL": network.oakestra_url,
        "FLOPS_DATA_SERVER": network.data_server(1),
        "FLOPS_USER": ADMIN,
        "FLOPS_PASSWORD": world.suite.secrets.root_password,
    }


@pytest.mark.parametrize(
    ("world", "page"), sorted({(run.value, run.page) for run in RUNS}), indirect=["world"]
)
def test_the_commands_of_a_page_do_what_they_say(world, page, readers_files):
    here = [run for run in RUNS if run.page == page and run.value == world.name]
    script = "".join(f"echo '--- line {item.line}' >&2\n{item.text}" for item in here)

    followed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=readers_files,
        env=environment(world),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )

    sys.stdout.write(followed.stdout)
    assert followed.returncode == 0, followed.stderr[-3000:]
    assert '"message": "The ' not in followed.stdout, "the API refused something"

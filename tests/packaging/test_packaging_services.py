"""Each service installs alone: its lock with hashes, then our own packages without dependencies.

One environment holds one service after the other: ``uv pip sync`` removes everything that the next
one's lock does not name, and what stays need not be compiled again.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(
    (path.parent for path in ROOT.glob("services/*/pyproject.toml")),
    # Neighbours have most packages in common.
    key=lambda service: (service / "requirements.lock").stat().st_size,
)
UV = ROOT / ".flops" / "bootstrap" / "bin" / "uv"


def run(*argv, timeout=300):
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    result = subprocess.run(
        [str(item) for item in argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env=environment,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def local_packages(folder):
    """Return the folder and those of all local packages it needs, itself last."""
    sources = tomllib.loads((folder / "pyproject.toml").read_text()).get("tool", {}).get("uv", {})
    needed = {}
    for source in sources.get("sources", {}).values():
        for path in local_packages((folder / source["path"]).resolve()):
            needed[path] = None
    return [*needed, folder]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Build every local package once, in the environment of one build backend."""
    folder = tmp_path_factory.mktemp("wheels")
    packages = {path for service in SERVICES for path in local_packages(service)}
    for package in sorted(packages):
        run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, package)
    return folder


def wheel_of(package, wheels):
    name = tomllib.loads((package / "pyproject.toml").read_text())["project"]["name"]
    (wheel,) = wheels.glob(f"{name.replace('-', '_')}-*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    path = tmp_path_factory.mktemp("services") / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, path)
    return path


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_installs_from_its_lock_and_answers_check(service, wheels, environment):
    lock = service / "requirements.lock"
    run(UV, "pip", "sync", "--quiet", "--require-hashes", "--python", environment, lock)
    own = [wheel_of(package, wheels) for package in local_packages(service)]
    run(UV, "pip", "install", "--quiet", "--no-deps", "--python", environment, *own)

    module = f"flops_{service.name.replace('-', '_')}"
    answer = run(environment / "bin" / "python", "-m", module, "check")

    assert answer.strip().endswith("ok")


def test_the_command_line_and_the_client_install_from_the_wheels_alone(wheels, tmp_path):
    """The steps of a user after `make dist`, in an empty environment and outside a checkout."""
    environment = tmp_path / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    where = ("--quiet", "--python", environment, "--find-links", wheels)
    run(UV, "pip", "install", *where, "flops-cli")

    program = "from flops_cli.client import FlopsClient; print(FlopsClient.__name__)"

    assert "Usage: flops" in run(environment / "bin" / "flops", "--help")
    assert run(environment / "bin" / "python", "-c", program).strip() == "FlopsClient"

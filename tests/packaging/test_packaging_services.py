"""Each service runs on its lock alone: the packages in there, and wheels of our own.

`make install` has installed some locks, with hashes; of these it is only checked that nothing is
missing and nothing too much, because importing a new environment for the first time takes long.
The others are installed here, one after the other: `uv pip sync` removes what a lock does not name.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from flops_cli.local.places import find_places

ROOT = Path(__file__).parents[2]
SERVICES = sorted(
    (path.parent for path in ROOT.glob("services/*/pyproject.toml")),
    # Neighbours have most packages in common.
    key=lambda service: (service / "requirements.lock").stat().st_size,
)
# `python -m MODULE check`, with an unpacked wheel in place of the sources of the checkout.
CHECK = """
import runpy, sys

folder, checkout, module = sys.argv[1:]
ours = (f"{checkout}/services/", f"{checkout}/shared/")
sys.path = [folder, *(path for path in sys.path if not path.startswith(ours))]
sys.argv = [module, "check"]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
INSTALLED = find_places(None, None, ROOT).environments
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
    return result.stdout + result.stderr


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
def test_a_service_runs_on_its_lock_and_our_wheels(service, wheels, environment, tmp_path):
    lock = service / "requirements.lock"
    sync = (UV, "pip", "sync", "--require-hashes", "--python")
    if (INSTALLED / service.name).exists():
        environment = INSTALLED / service.name
        assert "Would make no changes" in run(*sync, environment, "--dry-run", lock)
    else:
        run(*sync, environment, "--quiet", lock)
    own = [wheel_of(package, wheels) for package in local_packages(service)]
    run(UV, "pip", "install", "--quiet", "--no-deps", "--target", tmp_path, *own)

    module = f"flops_{service.name.replace('-', '_')}"
    answer = run(environment / "bin" / "python", "-c", CHECK, tmp_path, ROOT, module)

    assert "ok" in answer.splitlines()


def test_the_command_line_and_the_client_install_from_the_wheels_alone(wheels, tmp_path):
    """The steps of a user after `make dist`, in an empty environment and outside a checkout."""
    environment = tmp_path / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    where = ("--quiet", "--python", environment, "--find-links", wheels)
    run(UV, "pip", "install", *where, "flops-cli")

    program = "from flops_cli.client import FlopsClient; print(FlopsClient.__name__)"

    assert "Usage: flops" in run(environment / "bin" / "flops", "--help")
    assert run(environment / "bin" / "python", "-c", program).strip() == "FlopsClient"

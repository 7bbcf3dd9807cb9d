"""A copy of what the scripts of compose/ and the Makefile read, for tests that write into it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.doc_blocks import ROOT

VERSION_FILE = "shared/contracts/src/flops_contracts/version.py"
OF_OURS = ("FLOPS_", "SYSTEM_MANAGER_IP", "ARTIFACT_STORE_IP", "BACKEND_STORE_IP")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing was configured yet."""
    folder = tmp_path / "checkout"
    ignore = shutil.ignore_patterns(".env", "__pycache__")
    shutil.copytree(ROOT / "compose", folder / "compose", ignore=ignore)
    shutil.copyfile(ROOT / "Makefile", folder / "Makefile")
    (folder / VERSION_FILE).parent.mkdir(parents=True)
    shutil.copyfile(ROOT / VERSION_FILE, folder / VERSION_FILE)
    return folder


@pytest.fixture
def shell(checkout: Path) -> Callable[..., str]:
    """A shell in the checkout, without the settings of the shell that runs the tests."""
    outer = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((*OF_OURS, "MAKE", "MFLAGS", "LOCAL", "ADDRESS", "DOCKER_"))
    }

    def run(command: str, **variables: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=checkout,
            env={**outer, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run

"""Environments of the store: complete or absent, and made once however many want one."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flops_image_builder.adapters.commands import Commands
from flops_image_builder.adapters.environments import Environments
from flops_image_builder.adapters.storage import only_build
from flops_image_builder.adapters.uv import Uv, UvSettings
from flops_image_builder.domain.errors import BuildFailedError, ImageStoreError
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.pythons import Interpreter
from support.builds import Reports

PYTHON = Interpreter(f"3.{sys.version_info.minor}.{sys.version_info.micro}", sys.executable)


@pytest.fixture
def uv():
    return Uv(Commands(os.environ), UvSettings(torch_backend=""))


@pytest.fixture
def environments(tmp_path, uv):
    return Environments(tmp_path, uv)


@pytest.fixture
def small_lock(uv):
    return uv.resolve(("iniconfig==2.1.0",), PYTHON)


def test_two_builders_make_one_environment(environments, small_lock):
    reports = Reports()
    with ThreadPoolExecutor(2) as pool:
        pythons = [
            pool.submit(environments.python_of, (small_lock,), PYTHON, reports) for _ in range(2)
        ]

    assert pythons[0].result() == pythons[1].result()
    assert reports.steps == ["Installing 1 packages"]


def test_a_layer_sees_the_packages_below(environments, uv, small_lock):
    above = uv.resolve(("packaging==25.0",), PYTHON)

    python = environments.python_of((small_lock, above), PYTHON, Reports())

    code = "import iniconfig, packaging; print(packaging.__version__)"
    assert subprocess.check_output([python, "-c", code], text=True, timeout=120).strip() == "25.0"


def test_a_package_with_another_hash_is_refused_and_nothing_stays(environments, tmp_path):
    forged = Lock({"iniconfig": "iniconfig==2.1.0 \\\n    --hash=sha256:" + "0" * 64})

    with pytest.raises(BuildFailedError):
        environments.python_of((forged,), PYTHON, Reports())

    assert [path for path in (tmp_path / "envs").iterdir() if path.is_dir()] == []


def test_waiting_for_a_held_lock_has_a_limit(tmp_path):
    with (
        only_build(tmp_path / "a.lock", 1),
        pytest.raises(ImageStoreError, match="another build has held"),
        only_build(tmp_path / "a.lock", 0.2),
    ):
        pass

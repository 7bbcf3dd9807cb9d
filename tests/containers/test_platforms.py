"""Images for two platforms, built on a machine of one of them without emulation."""

import sys

import pytest

from containers.bench.bench import Bench
from containers.bench.platforms import Platforms
from containers.bench.shell import run
from containers.bench.suite import ROOT, Suite

LEARNER = "addon-flops/learner:latest"
NATIVE_CODE = "flops/site/markupsafe/*.so"
PYTHON = "usr/bin/python3.11"
MANAGER = "addon-flops/manager:latest"
AARCH64 = 183
"""The machine in the header of an ELF file."""


@pytest.fixture(scope="module")
def platforms(bench: Bench, suite: Suite) -> Platforms:
    folder = bench.folder / "buildah"
    platforms = Platforms(folder, bench.engine, suite, bench.bridge_address)
    base = platforms.start()
    both = ("--platform", "linux/amd64", "--platform", "linux/arm64")
    where = ("--prefix", f"{platforms.push}/addon-flops", "--push", "--plain-http")
    what = ("--build-arg", f"PYTHON_IMAGE={base}", "manager", "learner")
    run(
        [sys.executable, ROOT / "compose/images.py", *both, *where, *what],
        seconds=900,
        env=platforms.environment,
    )
    return platforms


@pytest.mark.parametrize("image", [MANAGER, LEARNER])
def test_one_name_holds_images_for_both_platforms(platforms: Platforms, image: str) -> None:
    assert platforms.architectures(image) == {"amd64", "arm64"}


@pytest.mark.parametrize(
    ("image", "path"), [(MANAGER, NATIVE_CODE), (MANAGER, PYTHON), (LEARNER, PYTHON)]
)
def test_native_code_is_that_of_the_platform(platforms: Platforms, image: str, path: str) -> None:
    header = platforms.file(image, "arm64", path)

    assert int.from_bytes(header[18:20], "little") == AARCH64

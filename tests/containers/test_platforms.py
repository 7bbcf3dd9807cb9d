"""Images for two platforms, built on a machine of one of them without emulation."""

import pytest

from containers.bench.platforms import BASES, Platforms
from flops_contracts.version import VERSION

LEARNER = f"{BASES}/learner:{VERSION}"
NATIVE_CODE = "flops/site/markupsafe/*.so"
PYTHON = "usr/bin/python3.11"
MANAGER = f"{BASES}/manager:{VERSION}"
AARCH64 = 183
"""The machine in the header of an ELF file."""


@pytest.mark.parametrize("image", [MANAGER, LEARNER])
def test_one_name_holds_images_for_both_platforms(platforms: Platforms, image: str) -> None:
    assert platforms.architectures(image) == {"amd64", "arm64"}


@pytest.mark.parametrize(
    ("image", "path"), [(MANAGER, NATIVE_CODE), (MANAGER, PYTHON), (LEARNER, PYTHON)]
)
def test_native_code_is_that_of_the_platform(platforms: Platforms, image: str, path: str) -> None:
    header = platforms.file(image, "arm64", path)

    assert int.from_bytes(header[18:20], "little") == AARCH64

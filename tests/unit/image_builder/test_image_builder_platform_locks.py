"""Locks for several platforms, and for learners that are pulled by every edge node."""

import pytest

from flops_image_builder.domain.errors import DependenciesUnresolvableError
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.requirements import Line, from_requirements_txt
from flops_image_builder.domain.unneeded import without_unneeded
from flops_image_builder.ports import ResolutionFailedError
from flops_image_builder.usecases.resolving import Resolving

ARM64 = Interpreter("3.11", "", "linux/arm64")
AMD64 = Interpreter("3.11", "", "linux/amd64")


class TwoPlatforms:
    """An index where mkl has wheels for one platform only; keeps what it was asked."""

    def __init__(self):
        self.constraints = ()

    def resolve(self, requirements, python, constraints=(), overrides=()):
        self.constraints = constraints
        if "mkl==2025.0" in requirements and python.platform == "linux/arm64":
            raise ResolutionFailedError(
                "Because mkl==2025.0 has no wheels with a matching platform tag (e.g., "
                "`manylinux_2_28_aarch64`) and you require mkl==2025.0, it is over"
            )
        return Lock({Line(text, "").name: f"{Line(text, '').name}==1.0" for text in requirements})


@pytest.fixture
def index():
    return TwoPlatforms()


def test_another_platform_gets_the_same_versions(index):
    users = from_requirements_txt("numpy\n")
    first = Resolving(index, AMD64).together(users, ("flwr",))

    again = Resolving(index, ARM64).again(first, users, ("flwr",))

    assert again.lock == first.lock
    assert set(index.constraints) == {"numpy==1.0", "flwr==1.0"}


def test_a_package_without_a_wheel_for_a_platform_is_named_with_the_way_out(index):
    users = from_requirements_txt("numpy\nmkl==2025.0\n")
    first = Resolving(index, AMD64).together(users, ())

    with pytest.raises(DependenciesUnresolvableError) as caught:
        Resolving(index, ARM64).again(first, users, ())

    assert caught.value.reason == (
        "package 'mkl==2025.0' has no wheel for Python 3.11 on linux/arm64"
    )
    assert caught.value.where == "requirements.txt:2"
    assert "remove linux/arm64 from supported_platforms" in caught.value.hint


def test_learners_do_without_what_only_flowers_servers_import():
    lock = Lock({"numpy": "numpy==2", "sqlalchemy": "sqlalchemy==2", "uv": "uv==1"})

    assert without_unneeded(lock, Lock({})).entries == {"numpy": "numpy==2"}


def test_what_the_user_needs_stays():
    lock = Lock({"numpy": "numpy==2", "sqlalchemy": "sqlalchemy==2"})

    assert without_unneeded(lock, Lock({"sqlalchemy": "sqlalchemy==2"})) == lock

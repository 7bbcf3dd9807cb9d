"""Pins of users that may override a bound of FLOps' own packages, and pins that may not."""

import pytest

from flops_image_builder.domain.errors import DependenciesUnresolvableError
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.requirements import Dependencies, Line, from_requirements_txt
from flops_image_builder.ports import ResolutionFailedError
from flops_image_builder.usecases.resolving import Resolving, own_requirements

OWN = ("flwr>=1.41",)


class PinnedIndex:
    """A resolver for an index where Flower needs a newer pyyaml than 6.0.1 and a new protobuf."""

    def resolve(self, requirements, _python, constraints=(), overrides=()):
        if "missing" in requirements:
            raise ResolutionFailedError("missing was not found in the package registry and so on")
        for too_old in ("pyyaml==6.0.1", "attrs==20.1", "protobuf<5", "protobuf==4.0"):
            is_asked = too_old in (*requirements, *constraints) and too_old not in overrides
            if is_asked and OWN[0] in requirements:
                raise ResolutionFailedError(f"Because flwr==1.41 and {too_old} clash, nothing fits")
        names = (Line(text, "").name for text in requirements)
        return Lock({name: f"{name}==1.0" for name in names})


@pytest.fixture
def resolving():
    return Resolving(PinnedIndex(), Interpreter("3.11.2", "/usr/bin/python3.11"))


def test_requirements_that_fit_need_no_override(resolving):
    resolution = resolving.together(from_requirements_txt("numpy==2.2.0\n"), OWN)

    assert sorted(resolution.lock.entries) == ["flwr", "numpy"]
    assert resolution.notices == ()


def test_only_the_pins_that_clash_override(resolving):
    users = from_requirements_txt("numpy==1.26.4\npyyaml==6.0.1\nattrs==20.1\n")

    resolution = resolving.together(users, OWN)

    assert resolution.overrides == ("pyyaml==6.0.1", "attrs==20.1")
    assert "'pyyaml==6.0.1' overrides" in resolution.notices[0]


def test_a_bound_that_is_not_a_pin_never_overrides(resolving):
    users = from_requirements_txt("protobuf<5\n")

    with pytest.raises(DependenciesUnresolvableError) as caught:
        resolving.together(users, OWN)

    assert caught.value.where == "requirements.txt:1"
    assert caught.value.hint.startswith("FLOps' own packages need other versions")


def test_the_users_own_mistakes_are_reported_without_flops(resolving):
    with pytest.raises(DependenciesUnresolvableError) as caught:
        resolving.together(from_requirements_txt("missing\n"), OWN)

    assert caught.value.reason == "package 'missing' does not exist on the package index"


def test_pins_of_a_lock_file_give_way_to_nothing_but_needs(resolving):
    users = Dependencies("pyproject.toml", locked=("pyyaml==6.0.1",))

    assert resolving.together(users, OWN).overrides == ("pyyaml==6.0.1",)


def test_the_runtime_of_flowers_messages_is_never_overridden(resolving):
    with pytest.raises(DependenciesUnresolvableError) as caught:
        resolving.together(from_requirements_txt("protobuf==4.0\n"), OWN)
    locked = resolving.together(Dependencies("pyproject.toml", locked=("protobuf==4.0",)), OWN)

    assert caught.value.where == "requirements.txt:1"
    assert locked.overrides == ()
    assert "protobuf==4.0" not in locked.constraints


def test_a_part_has_the_versions_of_the_whole(resolving):
    whole = resolving.together(from_requirements_txt("numpy==2.2.0\n"), OWN)

    part = resolving.part(whole, ("numpy==2.2.0",))

    assert part.entries == {"numpy": whole.lock.entries["numpy"]}


def test_requirements_of_several_bases_come_once():
    assert own_requirements(("a", "b"), ("b", "c")) == ("a", "b", "c")

"""Dockerfiles and contexts as text: what makes an image, before anything is made."""

from dataclasses import replace
from pathlib import Path

import pytest

from flops_image_builder.domain.errors import BuildFailedError
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.plan import BaseImage, ImagePlan
from flops_image_builder.domain.platforms import platform_of, triple_of
from flops_image_builder.domain.recipes import dependency_recipes, image_recipe, without_tag

AMD64, ARM64 = "linux/amd64", "linux/arm64"
BASE = BaseImage("ghcr.io/f/learner:1", (), "sha256:aa", "/flops/site", "/flops/code")
BELOW = "reg:5073/flops/dependencies:x"


def a_lock(**versions):
    return Lock({name: f"{name}=={version}" for name, version in versions.items()})


def an_image(**changes):
    image = ImagePlan(
        reference="reg:5073/o/r/learner:t",
        base=BASE.reference,
        module="flops_learner",
        layers=(a_lock(numpy="2.4"), a_lock(mlflow="3.1")),
        contents={"code": Path("/w/repository")},
    )
    return replace(image, **changes)


def dependencies(image, base=BASE, python="3.11", platform=AMD64):
    return dependency_recipes(image, base, python, platform, "reg:5073")


def test_the_first_layer_stands_on_exactly_the_base_that_was_read():
    recipe = dependencies(an_image())[0]

    assert recipe.dockerfile == "FROM ghcr.io/f/learner@sha256:aa\nCOPY site/ /flops/site/\n"
    assert recipe.packages == a_lock(numpy="2.4")


def test_each_layer_stands_on_the_one_before():
    first, second = dependencies(an_image())

    assert second.dockerfile.startswith(f"FROM {first.reference}\n")
    assert second.packages == a_lock(mlflow="3.1")


def test_an_empty_layer_is_left_out():
    image = an_image(layers=(a_lock(numpy="2.4"), a_lock()))

    assert len(dependencies(image)) == 1


def test_the_dependencies_do_not_depend_on_the_code():
    other = an_image(contents={"code": Path("/w/other")}, reference="reg:5073/o/r/learner:u")

    assert dependencies(an_image()) == dependencies(other)


@pytest.mark.parametrize(
    "others",
    [
        dependencies(an_image(layers=(a_lock(numpy="2.5"),))),
        dependencies(an_image(), base=replace(BASE, identity="sha256:bb")),
        dependencies(an_image(), python="3.12"),
        dependencies(an_image(), platform=ARM64),
    ],
)
def test_what_changes_the_dependencies_changes_their_name(others):
    assert others[0].reference != dependencies(an_image())[0].reference


def test_a_platform_with_a_lock_of_its_own_gets_that():
    image = an_image(elsewhere={ARM64: (a_lock(numpy="2.3"),)})

    assert [recipe.packages for recipe in dependencies(image, platform=ARM64)] == [
        a_lock(numpy="2.3")
    ]


def test_an_image_copies_code_and_lock_and_runs_nothing():
    recipe = image_recipe(an_image(), BASE, BELOW, AMD64)

    assert recipe.dockerfile.splitlines()[:3] == [
        f"FROM {BELOW}",
        "COPY code/ /flops/code/",
        "COPY requirements.lock /flops/",
    ]
    assert "RUN" not in recipe.dockerfile
    assert recipe.files == {"requirements.lock": "mlflow==3.1\nnumpy==2.4\n"}


def test_the_model_has_a_folder_of_its_own():
    image = an_image(
        contents={"code": Path("/w/c"), "model": Path("/w/m")},
        environment={"FLOPS_MODEL_PATH": "{root}/model"},
    )

    text = image_recipe(image, BASE, BELOW, AMD64).dockerfile

    assert "COPY model/ /flops/model/\n" in text
    assert 'ENV FLOPS_MODEL_PATH="/flops/model"\n' in text


def test_what_users_write_stays_one_value():
    image = an_image(labels={"flops.flavor": 'a"b\\c $HOME\nRUN evil'})

    text = image_recipe(image, BASE, BELOW, AMD64).dockerfile

    assert 'LABEL flops.flavor="a\\"b\\\\c \\$HOME RUN evil"\n' in text


def test_a_recipe_can_be_read():
    lines = str(dependencies(an_image())[0]).splitlines()

    assert lines[0].endswith(" for linux/amd64")
    assert lines[-1] == "  site/: 1 packages, by uv"


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("reg:5073/a/b:tag", "reg:5073/a/b"),
        ("reg:5073/a/b", "reg:5073/a/b"),
        ("a/b:t@sha256:00", "a/b"),
    ],
)
def test_a_reference_loses_its_tag_but_not_its_port(reference, name):
    assert without_tag(reference) == name


def test_platforms_have_two_names():
    assert triple_of(ARM64) == "aarch64-unknown-linux-gnu"
    assert platform_of("aarch64") == ARM64


def test_a_platform_that_nobody_builds_for_is_named():
    with pytest.raises(BuildFailedError, match="'linux/riscv64'"):
        triple_of("linux/riscv64")

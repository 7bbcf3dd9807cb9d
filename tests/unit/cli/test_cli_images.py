"""The bundles of the suite."""

from pathlib import Path

import pytest

from flops_cli.local.images import (
    BASES,
    BUILD_SETTINGS,
    STARTED,
    builder_environment,
    reference,
    register,
    register_simulator,
    suite_bundles,
)
from flops_cli.local.places import Places
from flops_contracts.bundles import read_bundle
from flops_contracts.version import VERSION
from flops_image_builder.settings import Tools
from flops_runtime.environment import documented

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def places(tmp_path):
    return Places(REPOSITORY, tmp_path)


def bundle_of(places, service):
    bundles = {bundle.reference: bundle for bundle in suite_bundles(places)}
    return bundles[reference(service)]


def test_references_are_those_of_the_published_images():
    assert reference("learner") == f"ghcr.io/oakestra/addon-flops/learner:{VERSION}"


def test_a_service_starts_with_the_python_of_its_environment(places):
    bundle = bundle_of(places, "project-observer")

    python = str(places.home / "envs" / "project-observer" / "bin" / "python")
    assert bundle.argv == (python, "-m", "flops_project_observer")


def test_the_builder_gets_the_image_store(places):
    environment = bundle_of(places, "image-builder").environment

    assert environment["FLOPS_IMAGE_ENGINE"] == "bundles"
    assert environment["FLOPS_IMAGE_STORE"] == str(places.images)


@pytest.mark.parametrize(
    "name", ["UV_DEFAULT_INDEX", "FLOPS_TORCH_BACKEND", "FLOPS_GIT_TOKEN", "FLOPS_GIT_TOKEN_FILE"]
)
def test_the_builder_gets_what_the_user_has_chosen_for_builds(name):
    assert builder_environment({name: "mine"})[name] == "mine"


def test_the_builder_does_not_see_the_rest_of_the_users_environment():
    assert set(builder_environment({"AWS_SECRET_ACCESS_KEY": "x", "FLOPS_USER": "u"})) == {"PATH"}


def test_every_setting_of_the_builders_tools_is_the_users_to_choose():
    declared = {setting.name for setting in documented(Tools)}

    assert set(BUILD_SETTINGS) == declared


def test_other_commands_in_a_checkout_leave_the_bundles_of_a_suite_as_they_are(places, monkeypatch):
    monkeypatch.setenv("PATH", "/first")
    register(places)
    before = {file: file.read_bytes() for file in places.images.rglob("*.json")}

    monkeypatch.setenv("PATH", "/second")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "file:///other")
    register_simulator(places)

    assert before
    assert {file: file.read_bytes() for file in before} == before


def test_a_base_names_its_sources(places):
    sources = bundle_of(places, "learner").labels["sources"].split(":")

    assert str(REPOSITORY / "services" / "learner" / "src") in sources
    assert str(REPOSITORY / "shared" / "contracts" / "src") in sources


def test_registered_bundles_can_be_read_back(places):
    register(places)

    assert all(read_bundle(places.images, reference(name)) for name in (*STARTED, *BASES))


def test_the_requirements_of_a_base_have_no_local_packages(places):
    register(places)

    labels = read_bundle(places.images, reference("learner")).labels
    requirements = Path(labels["requirements"]).read_text().splitlines()
    assert requirements
    assert not [line for line in requirements if line.startswith("flops")]

"""The bundles of the suite."""

from pathlib import Path

import pytest

from flops_cli.local.images import BASES, STARTED, reference, register, suite_bundles
from flops_cli.local.places import Places
from flops_contracts.bundles import read_bundle
from flops_contracts.version import VERSION

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def places(tmp_path):
    return Places(REPOSITORY, tmp_path)


def bundle_of(places, service, **variables):
    bundles = {bundle.reference: bundle for bundle in suite_bundles(places, variables)}
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


def test_the_builder_uses_the_package_index_of_the_user(places):
    environment = bundle_of(places, "image-builder", UV_DEFAULT_INDEX="file:///i").environment

    assert environment["UV_DEFAULT_INDEX"] == "file:///i"


def test_no_service_sees_the_rest_of_the_users_environment(places):
    environment = bundle_of(places, "image-builder", AWS_SECRET_ACCESS_KEY="x").environment

    assert "AWS_SECRET_ACCESS_KEY" not in environment


def test_a_base_names_its_sources(places):
    sources = bundle_of(places, "learner").labels["sources"].split(":")

    assert str(REPOSITORY / "services" / "learner" / "src") in sources
    assert str(REPOSITORY / "shared" / "contracts" / "src") in sources


def test_registered_bundles_can_be_read_back(places):
    register(places, {})

    assert all(read_bundle(places.images, reference(name)) for name in (*STARTED, *BASES))


def test_the_requirements_of_a_base_have_no_local_packages(places):
    register(places, {})

    labels = read_bundle(places.images, reference("learner")).labels
    requirements = Path(labels["requirements"]).read_text().splitlines()
    assert requirements
    assert not [line for line in requirements if line.startswith("flops")]

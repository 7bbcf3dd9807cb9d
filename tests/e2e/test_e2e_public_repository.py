"""A repository with the pins and the calls of the public manuals' sample trains unmodified."""

import pytest

from flops_contracts.roles import Stage
from support.suite import REPOSITORIES, a_project_sla, a_repository

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def project(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("public") / "mnist-sklearn"
    repository = a_repository(folder, sample=REPOSITORIES / "public-pins")
    return world.finished(world.client.submit_project(a_project_sla(repository)))


def test_it_trains_to_the_end(project):
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)
    assert len(project.rounds) == 3


def test_the_notices_say_what_was_not_taken_as_it_is(project):
    notices = " ".join(str(one) for one in project.document["notices"])

    assert "mlflow" in notices
    assert "pyyaml" in notices.lower()
    assert "3.10" in notices

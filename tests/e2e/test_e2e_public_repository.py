"""A repository with the pins and the calls of the public manuals' sample trains unmodified."""

import pytest

from flops_contracts.roles import Stage

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(manuals_project):
    return manuals_project


def test_it_trains_to_the_end(project):
    assert (project.stage, project.failure) == (Stage.COMPLETED, None)


def test_the_notices_say_what_was_not_taken_as_it_is(project):
    notices = " ".join(str(notice) for notice in project.document["notices"])

    assert "mlflow" in notices
    assert "pyyaml" in notices.lower()
    assert "3.10" in notices

"""`flops` as its users have it: data of their own, a check, a project from start to deletion."""

import json

import pytest

from flops_cli.__main__ import main
from flops_cli.errors import CliExitCode
from flops_cli.local.suite import ADMIN
from support.suite import a_project_sla, a_repository
from support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def flops(world, monkeypatch, capsys):
    """Return a way to call flops: it returns the exit code and what was printed as JSON."""
    network = world.suite.network
    monkeypatch.setenv("FLOPS_API_URL", network.api_url)
    monkeypatch.setenv("FLOPS_OAKESTRA_URL", network.oakestra_url)
    monkeypatch.setenv("FLOPS_DATA_SERVER", network.data_server(1))
    monkeypatch.setenv("FLOPS_USER", ADMIN)
    monkeypatch.setenv("FLOPS_PASSWORD", world.suite.secrets.root_password)

    def call(*arguments):
        code = main([*map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out or "null")

    return call


@pytest.fixture
def sla(tmp_path):
    """Return the file of an SLA that trains on the tag ``oven``."""
    file = tmp_path / "sla.json"
    training = {"data_tags": ["oven"]}
    repository = a_repository(tmp_path / "repository")
    file.write_text(json.dumps(a_project_sla(repository, training_configuration=training)))
    return file


@pytest.fixture
def readings(tmp_path):
    file = tmp_path / "readings.csv"
    file.write_text("temperature,label\n" + "".join(f"{row}.5,{row % 2}\n" for row in range(100)))
    return file


def test_data_of_a_device_make_a_project_startable(flops, sla, readings):
    before, findings = flops("project", "check", sla)
    pushed, _ = flops("data", "push", readings, "--tag", "oven")
    after, _ = flops("project", "check", sla)
    dropped, gone = flops("data", "drop", "--tag", "oven", "--yes")

    assert (before, pushed, after, dropped) == (CliExitCode.REFUSED, 0, 0, 0)
    assert "'oven'" in " ".join(finding["message"] for finding in findings)
    assert [item["rows"] for item in gone] == [100]


def test_nodes_whose_columns_disagree_are_named_before_anything_is_built(
    flops, sla, readings, tmp_path, world
):
    other = tmp_path / "other.csv"
    other.write_text("pressure,label\n1.5,0\n2.5,1\n")
    flops("data", "push", readings, "--tag", "oven")
    flops("data", "push", other, "--tag", "oven", "--server", world.suite.network.data_server(2))

    def problems():
        code, findings = flops("project", "check", sla)
        return code, " ".join(finding["message"] for finding in findings if not finding["is_ok"])

    try:
        # What the second node holds is announced within seconds.
        until(lambda: "do not fit together" in problems()[1], 60, "the check names both nodes")
        code, message = problems()
        _, answer = flops("project", "start", sla)
        project = world.finished(answer["project_id"])
    finally:
        flops("data", "drop", "--tag", "oven", "--yes")
        flops(
            *("data", "drop", "--tag", "oven", "--yes", "--server"),
            world.suite.network.data_server(2),
        )

    assert code == CliExitCode.REFUSED
    assert "is a column of 'oven' on" in message
    assert "'pressure'" in message or "'temperature'" in message
    assert "do not fit together" in project.failure.reason
    assert project.document["images"] is None


def test_a_project_is_started_cancelled_and_deleted(flops, sla, readings):
    flops("data", "push", readings, "--tag", "oven")
    started, answer = flops("project", "start", sla)
    project_id = answer["project_id"]

    cancelled, _ = flops("project", "cancel", project_id)
    shown, project = flops("project", "show", project_id)
    deleted, _ = flops("project", "delete", project_id, "--yes")
    flops("data", "drop", "--tag", "oven", "--yes")

    assert (started, cancelled, shown, deleted) == (0, 0, 0, 0)
    assert project["stage"] == "cancelled"
    assert flops("project", "show", project_id)[0] == CliExitCode.NOT_FOUND

"""Reading the manager's responses, without a manager."""

import json

import pytest

from flops_cli.client import events_in
from flops_cli.connection import problems_in
from flops_cli.errors import UnreachableError
from flops_cli.http import is_loopback
from flops_cli.results import Project
from flops_contracts.api.answers import ClusterRound, ProjectError
from flops_contracts.api.queries import LogQuery, SubmitQuery, parameters
from flops_contracts.envelope import document_from_event
from flops_contracts.events import Kind, Notice
from support.observed import observed_event


def a_frame(seq, text):
    document = {"seq": seq, **document_from_event(observed_event(Kind.NOTICE, Notice(text)))}
    return [f"id: {seq}", f"data: {json.dumps(document)}", ""]


def test_a_stream_is_read_frame_by_frame():
    lines = ["retry: 2000", "", *a_frame(1, "one"), ": still here", "", *a_frame(2, "two")]

    events = list(events_in(iter(lines)))

    assert [(item.seq, item.event.payload.message) for item in events] == [(1, "one"), (2, "two")]


def test_an_incomplete_frame_is_not_an_event():
    assert list(events_in(iter(a_frame(1, "one")[:-1]))) == []


def test_an_event_of_a_kind_unknown_to_this_client_is_left_out():
    lines = ['data: {"seq": 1, "kind": "invented_later"}', "", *a_frame(2, "two")]

    assert [numbered.seq for numbered in events_in(iter(lines))] == [2]


def test_every_problem_of_a_refused_sla_has_its_path():
    errors = {"ml_repo_url": ["Missing."], "training_configuration.mode": ["No.", "Never."]}

    assert problems_in(errors) == (
        "ml_repo_url: Missing.",
        "training_configuration.mode: No.",
        "training_configuration.mode: Never.",
    )


def test_a_failure_says_where_it_came_from():
    error = {"reason": "no", "role": "learner", "instance": "l1", "node": "n1", "stage": "training"}

    project = Project.from_document({"project_id": "p1", "stage": "failed", "error": error})

    assert project.failure.origin == "learner l1 on n1 in stage training"


def test_the_origin_of_a_failure_in_a_cluster_has_its_cycle_and_round():
    failure = ProjectError(
        "it broke", stage="training", role="learner", node="n1", cluster="east", round=3, cycle=2
    )

    assert failure.origin == "learner on n1 of cluster east in stage training, cycle 2, round 3"


def test_the_rounds_of_clusters_are_read():
    rounds = [{"cluster": "east", "cycle": 2, "round": 1, "accuracy": 0.5, "seconds": 1.5}]

    project = Project.from_document(
        {
            "project_id": "p1",
            "stage": "training",
            "rounds": [{"round": 1, "is_cycle": True}],
            "cluster_rounds": rounds,
        }
    )

    assert project.rounds[0].is_cycle
    assert project.cluster_rounds == (ClusterRound(1, 0, None, 0.5, 1.5, cycle=2, cluster="east"),)


def test_a_newer_managers_project_is_read():
    newer = {"project_id": "p1", "stage": "warming_up", "actors": None, "hue": {"red": 1}}

    project = Project.from_document(newer)

    assert (project.stage, project.is_over, project.actors) == ("warming_up", False, ())
    assert project.document == newer


def test_an_answer_without_a_stage_is_refused_with_a_hint():
    with pytest.raises(UnreachableError, match="cannot be read as Project") as raised:
        Project.from_document({"project_id": "p1"})

    assert "version" in raised.value.hint


def test_a_client_sends_only_what_differs_from_the_defaults():
    assert parameters(LogQuery(limit=200, after=0, level="ERROR")) == {"after": 0, "level": "ERROR"}
    assert parameters(SubmitQuery(dry_run=True)) == {"dry_run": "true"}


def test_only_this_machine_is_loopback():
    assert [is_loopback(host) for host in ("127.30.0.1", "localhost", "::1", "10.0.0.1", "x")] == [
        True,
        True,
        True,
        False,
        False,
    ]

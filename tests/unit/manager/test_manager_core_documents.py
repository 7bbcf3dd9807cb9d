"""Stored projects come back as they were."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from flops_contracts.api.answers import LearnerFailed, ProjectError, StageEntry
from flops_contracts.events import ActorImages, Fragment, LearnerRound, Progress, RoundCompleted
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.adapters.documents import (
    COMMANDS,
    document_from_record,
    record_from_document,
)
from flops_manager.domain.commands import Announce, Deploy, Locate, Place, Remove, Undeploy
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import ClusterRound, Project
from flops_manager.domain.subjects import Placement, Service
from flops_manager.ports.stores import Pending, Record
from support.manager_core import TRAINED, a_mock, a_project, a_sla

TEXTS = st.text(max_size=12)
NUMBERS = st.integers(0, 9)
TIMES = st.datetimes(timezones=st.just(a_project().created_at.tzinfo))
MAYBE_TIMES = st.none() | TIMES
FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
LINES = st.lists(TEXTS, max_size=2).map(tuple)
STAGES = st.sampled_from(Stage)

SERVICES = st.builds(
    Service,
    role=st.sampled_from(Role),
    instance=TEXTS,
    stage=STAGES.map(str),
    job_id=TEXTS,
    status=TEXTS,
    index=NUMBERS,
    attempt=NUMBERS,
    starts=NUMBERS,
    deployed_at=MAYBE_TIMES,
    last_heartbeat=MAYBE_TIMES,
    last_lines=LINES,
)
ERRORS = st.builds(
    ProjectError,
    reason=TEXTS,
    stage=STAGES.map(str),
    role=st.none() | st.sampled_from(Role),
    round=st.none() | NUMBERS,
    cycle=st.none() | NUMBERS,
    exit_code=st.none() | NUMBERS,
    last_lines=LINES,
    at=MAYBE_TIMES,
)
ROUNDS = st.builds(
    RoundCompleted,
    round=NUMBERS,
    rounds=NUMBERS,
    loss=FLOATS,
    accuracy=FLOATS,
    seconds=st.floats(0, 9),
    metrics=st.dictionaries(TEXTS, st.floats(0, 9), max_size=2),
    learners=st.lists(st.builds(LearnerRound, learner=TEXTS, samples=NUMBERS), max_size=2).map(
        tuple
    ),
)
PROJECTS = st.builds(
    replace,
    st.just(a_project(sla=a_sla(strategy={"name": "FedProx", "parameters": {"proximal_mu": 1}}))),
    stage=STAGES,
    created_at=TIMES,
    stage_history=st.lists(st.builds(StageEntry, STAGES, TIMES), max_size=2).map(tuple),
    attempt=NUMBERS,
    services=st.lists(SERVICES, max_size=3).map(tuple),
    placements=st.lists(
        st.builds(Placement, st.sampled_from(Role), TEXTS, TEXTS, NUMBERS, NUMBERS, NUMBERS),
        max_size=2,
    ).map(tuple),
    images=st.none() | st.just(ActorImages("learner", "aggregator")),
    rounds=st.lists(ROUNDS, max_size=2).map(tuple),
    cluster_rounds=st.lists(st.builds(ClusterRound, TEXTS, ROUNDS), max_size=2).map(tuple),
    trained=st.none() | st.just(TRAINED),
    learner_failures=st.lists(
        st.builds(LearnerFailed, TEXTS, ERRORS, st.booleans()), max_size=2
    ).map(tuple),
    error=st.none() | ERRORS,
    stopped_in=st.none() | STAGES,
    progress=st.none() | st.just(Progress("round 1 of 3", 1, 3, "rounds")),
    notices=LINES,
    is_deleted=st.booleans(),
    trace=TEXTS,
)
COMMANDS_TO_DO = st.lists(
    st.sampled_from(
        [
            Announce("failed", "training", 3, "why", "what to do"),
            Deploy(Role.LEARNER, Stage.TRAINING, 2),
            Undeploy(Role.BUILDER, Stage.BUILDING_MODEL),
            Place(),
            Locate(),
            Remove(),
        ]
    ).flatmap(lambda command: st.builds(Pending, st.just(command), NUMBERS)),
    max_size=3,
).map(tuple)


@settings(deadline=None)
@given(project=PROJECTS, version=NUMBERS, todo=COMMANDS_TO_DO)
def test_a_project_with_its_outbox_survives_the_way_into_a_document_and_back(
    project, version, todo
):
    record = Record(project, version, todo)

    document = json.loads(json.dumps(document_from_record(record)))

    assert record_from_document(document, Project) == record


@settings(deadline=None)
@given(
    services=st.lists(SERVICES, max_size=2).map(tuple),
    stage=st.sampled_from(MockStage),
    error=st.none() | ERRORS,
    labels=st.dictionaries(TEXTS, NUMBERS, max_size=2),
)
def test_a_mock_survives_the_way_into_a_document_and_back(services, stage, error, labels):
    fragments = (Fragment("mnist.0a.parquet", 1, 2, labels, 0, "local/node-1"),)
    done = tuple(service.instance for service in services)
    mock = a_mock(services=services, provided=done, stage=stage, error=error, fragments=fragments)
    record = Record(mock, 4, (Pending(Place()),))

    document = json.loads(json.dumps(document_from_record(record)))

    assert record_from_document(document, Mock) == record


def test_every_command_can_be_stored():
    commands = {command.__name__ for command in COMMANDS.values()}

    assert commands == {
        "Announce",
        "CreateApplications",
        "Deploy",
        "Locate",
        "Place",
        "Remove",
        "Undeploy",
        "UndeployLost",
    }


def test_an_older_document_without_newer_fields_is_read():
    document = document_from_record(Record(a_project()))
    del document["notices"], document["stopped_in"], document["attempt"]

    assert record_from_document(document, Project).subject == a_project()

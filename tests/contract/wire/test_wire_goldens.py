"""Messages on a wire equal the goldens: producers write them, consumers read them."""

import json

import pytest

from flops_cli import results
from flops_contracts.api.answers import ProjectSubmitted
from flops_contracts.declared import schema_of
from flops_contracts.envelope import decode, document_from_event, encode
from flops_contracts.events import PAYLOADS, Event, Kind
from flops_contracts.roles import MockStage, Stage
from flops_contracts.sla_documents import read_mock_sla, read_project_sla
from support.api_samples import HISTORY
from support.wire_goldens import API_ANSWERS, GOLDENS, documents, golden, text_of
from support.wire_samples import MOCK_ID, MOCK_SLA, PROJECT_ID, PROJECT_SLA, an_event

DOCUMENTS = documents()


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_producer_writes_the_golden(name):
    written = (GOLDENS / f"{name}.json").read_text(encoding="utf-8")

    assert text_of(DOCUMENTS[name]) == written, "If this is meant, run support.wire_goldens."


def test_every_golden_has_a_producer():
    assert {path.stem for path in GOLDENS.glob("*.json")} == set(DOCUMENTS)


@pytest.mark.parametrize("kind", Kind)
def test_a_consumer_reads_the_golden_of_an_event(kind):
    assert decode(json.dumps(golden(f"event-{kind}")).encode()) == an_event(kind)


@pytest.mark.parametrize("kind", Kind)
def test_an_event_survives_the_wire(kind):
    assert decode(encode(an_event(kind))) == an_event(kind)


@pytest.mark.parametrize("kind", Kind)
def test_a_newer_actors_extra_keys_are_ignored(kind):
    document = document_from_event(an_event(kind))
    document["payload"]["from_the_future"] = 1
    document["also_new"] = True

    assert decode(json.dumps(document).encode()) == an_event(kind)


def test_every_kind_has_a_payload_schema():
    assert set(PAYLOADS) == set(Kind)


def test_the_envelope_has_the_fields_of_its_golden():
    assert set(schema_of(Event)().fields) == set(golden("traced-event"))


def test_the_trace_is_there_only_where_somebody_traces():
    assert set(golden("traced-event")) - set(golden("event-started")) == {"trace"}


def test_the_golden_project_sla_is_read_as_it_was_meant():
    assert read_project_sla(text_of(golden("sla-project"))) == PROJECT_SLA


def test_the_golden_mock_sla_is_read_as_it_was_meant():
    assert read_mock_sla(text_of(golden("sla-mock"))) == MOCK_SLA


@pytest.mark.parametrize("name", sorted(API_ANSWERS))
def test_every_answer_has_a_message(name):
    assert golden(f"answer-{name}")["message"]


@pytest.mark.parametrize("name", ["project", "projects", "mock", "models"])
def test_no_secret_is_in_an_answer(name):
    assert "never-leaves-the-manager" not in text_of(golden(f"answer-{name}"))


def test_the_command_line_reads_the_golden_project():
    project = results.Project.from_document(golden("answer-project")["project"])

    assert (project.id, project.stage, project.rounds[0].accuracy, project.failure.role) == (
        PROJECT_ID,
        Stage.FAILED,
        0.875,
        "learner",
    )


def test_the_command_line_reads_the_golden_list():
    [listed] = [
        results.ProjectSummary.from_document(project)
        for project in golden("answer-projects")["projects"]
    ]

    assert (listed.id, listed.rounds_completed, listed.reason) == (
        PROJECT_ID,
        1,
        "fit_model raised ValueError: no rows",
    )


def test_the_command_line_reads_the_golden_history():
    events = [
        results.NumberedEvent.from_document(event) for event in golden("answer-events")["events"]
    ]

    assert [(event.seq, event.event) for event in events] == list(enumerate(HISTORY, start=1))


def test_the_command_line_reads_the_golden_mock():
    mock = results.Mock.from_document(golden("answer-mock")["mock"])

    assert (mock.id, mock.stage, len(mock.fragments)) == (MOCK_ID, MockStage.COMPLETED, 1)


def test_the_command_line_reads_the_golden_model():
    model = results.Model.from_document(golden("answer-model")["model"])

    assert (model.id, model.accuracy) == (PROJECT_ID, 0.9375)


def test_the_command_line_reads_the_golden_findings():
    answer = results.read(ProjectSubmitted, golden("answer-project-checked"))

    assert [(item.check, item.is_ok) for item in answer.findings] == [
        ("capacity", True),
        ("data", False),
    ]

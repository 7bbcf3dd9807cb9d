"""The goldens: each message as it crosses a wire, one file each.

After a change of a contract that is meant, ``cd tests && python -m support.wire_goldens`` writes
them again; commit the difference, so that all who read those messages can see it.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from flops_contracts.api import answers
from flops_contracts.declared import dump
from flops_contracts.envelope import document_from_event
from flops_contracts.events import Kind
from flops_manager.entrypoints.api.answers import (
    numbered,
    project_answer,
    state_of,
    summary_of,
)
from flops_manager.ports.stores import StoredEvent
from support.api_samples import FINDINGS, HISTORY, LOG, MODEL, a_mock, a_project
from support.wire_samples import MOCK_ID, MOCK_SLA, PAYLOADS, PROJECT_ID, PROJECT_SLA, an_event

GOLDENS = Path(__file__).parents[1] / "contract" / "wire" / "goldens"

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PAGE = {"page": 1, "page_size": 20, "total": 1}
SENTENCE = "A sentence for people."

API_ANSWERS: dict[str, answers.Answer] = {
    "error": answers.Error(SENTENCE, errors={"customerID": ("Missing.",)}, error_id="0123456789ab"),
    "project-submitted": answers.ProjectSubmitted(SENTENCE, project_id=PROJECT_ID),
    "project-checked": answers.ProjectSubmitted(SENTENCE, is_ok=False, findings=FINDINGS),
    "project": replace(project_answer(a_project()), message=SENTENCE),
    "projects": answers.ProjectsAnswer(SENTENCE, projects=(summary_of(a_project()),), **PAGE),
    "logs": answers.LogsAnswer(SENTENCE, (LOG,)),
    "mock-submitted": answers.MockSubmitted(SENTENCE, mock_id=MOCK_ID),
    "mock": answers.MockAnswer(SENTENCE, state_of(a_mock())),
    "mocks": answers.MocksAnswer(SENTENCE, mocks=(state_of(a_mock()),), **PAGE),
    "model": answers.ModelAnswer(SENTENCE, MODEL),
    "models": answers.ModelsAnswer(SENTENCE, models=(MODEL,), **PAGE),
    "tracking": answers.TrackingAnswer(SENTENCE, url="http://192.0.2.9:7027", is_running=True),
    "database": answers.DatabaseAnswer(SENTENCE, projects=2, mocks=1),
}


def documents() -> dict[str, Any]:
    """Return every message by the name of its golden."""
    events = {f"event-{kind}": document_from_event(an_event(kind)) for kind in PAYLOADS}
    slas = {
        "sla-project": dump(PROJECT_SLA),
        "sla-mock": dump(MOCK_SLA),
    }
    api = {f"answer-{name}": dump(answer) for name, answer in API_ANSWERS.items()}
    history = [
        numbered(StoredEvent(seq, document_from_event(event)))
        for seq, event in enumerate(HISTORY, start=1)
    ]
    api["answer-events"] = {
        "message": SENTENCE,
        "events": history,
        "last_seq": len(HISTORY),
    }
    traced = {"traced-event": document_from_event(replace(an_event(Kind.STARTED), trace=TRACE))}
    return {**events, **traced, **slas, **api}


def text_of(document: Any) -> str:
    """Return the golden's text."""
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def golden(name: str) -> Any:
    """Return the JSON of a golden."""
    return json.loads((GOLDENS / f"{name}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    for name, document in documents().items():
        (GOLDENS / f"{name}.json").write_text(text_of(document), encoding="utf-8")

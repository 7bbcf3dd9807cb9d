"""Spans that a collector on the loopback gets; and that nothing happens where traces are off."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from contextlib import suppress

import pytest

from flops_runtime import tracing
from flops_runtime.asgi import Watched
from flops_runtime.logs import JsonFormatter, LogContext
from flops_runtime.tracing import TraceSettings, trace_id_of
from support.broker import free_port
from support.collector import running_collector
from support.manager_api import World, by

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
PROJECTS = "/api/flops/projects"
SLA = {"customerID": "ada", "ml_repo_url": "https://git.example/r", "ml_model_flavor": "sklearn"}


@pytest.fixture
def collector():
    with running_collector() as running:
        yield running


@pytest.fixture
def traced(collector):
    """Switch traces on; return what sends the spans and gives them by their names."""
    tracing.start(TraceSettings(collector.endpoint), "test")

    def spans():
        tracing.stop()
        return {span.name: span for span in collector.spans()}

    yield spans
    tracing.stop()


def test_spans_lie_in_one_another(traced):
    with tracing.span("outer"), tracing.span("inner", rows=3):
        pass

    spans = traced()
    assert spans["inner"].parent == spans["outer"].id
    assert spans["inner"].attributes == {"rows": 3}
    assert spans["inner"].service == "flops-test"


def test_a_span_belongs_to_the_given_parent(traced):
    with tracing.span("outer"), tracing.span("inner", PARENT):
        pass

    assert traced()["inner"].trace == TRACE


def test_what_has_nothing_above_belongs_to_the_process(collector):
    tracing.start(TraceSettings(collector.endpoint, PARENT), "test")

    with tracing.of_process("learner"):
        begun = tracing.begin("round")
        begun.end()
    with tracing.span("later"):
        pass
    tracing.stop()

    spans = {span.name: span for span in collector.spans()}
    assert {span.trace for span in spans.values()} == {TRACE}
    assert spans["learner"].parent == "00f067aa0ba902b7"
    assert spans["round"].parent == spans["later"].parent == spans["learner"].id


def test_a_span_that_somebody_else_ends_is_sent_once(traced, collector):
    begun = tracing.begin("round")
    with tracing.span("fit", begun.traceparent):
        pass
    begun.end()
    begun.end()

    spans = traced()
    assert spans["fit"].parent == spans["round"].id
    assert len(collector.spans()) == 2


def test_only_what_belongs_to_somebodys_trace_is_continued(traced):
    with tracing.continued("", "nobody's"), tracing.continued(PARENT, "somebody's"):
        pass

    assert set(traced()) == {"somebody's"}


def test_what_is_raised_is_noted(traced):
    with pytest.raises(ValueError, match="a row"), tracing.span("fails"):
        raise ValueError("a row of somebody's data")

    failed = traced()["fails"]
    assert (failed.is_error, failed.error) == (True, "ValueError")


def test_what_an_exception_says_stays_where_it_was_raised(traced, collector):
    with suppress(ValueError), tracing.span("fails"):
        raise ValueError("a row of somebody's data")

    traced()
    assert collector.received()
    assert b"somebody" not in collector.received()


@pytest.mark.parametrize("parent", ["", "nonsense", "00-0-0-00", "00-" + "g" * 32 + "-1-01"])
def test_nonsense_from_outside_begins_a_trace_of_its_own(traced, parent):
    with tracing.span("asked", parent):
        pass

    assert len(traced()["asked"].trace) == 32


def test_lines_name_the_trace_of_their_thread(traced):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter(LogContext()))
    tracing.show_in(handler)
    log = logging.Logger("test")  # noqa: LOG001 - one that nobody else hears
    log.addHandler(handler)

    with tracing.span("work"):
        log.warning("inside")
    log.warning("outside")

    trace_ids = [json.loads(line).get("trace_id", "") for line in written.getvalue().splitlines()]
    assert trace_ids == [traced()["work"].trace, ""]


def test_a_collector_that_is_away_costs_the_spans_only():
    tracing.start(TraceSettings(f"http://127.0.0.1:{free_port()}"), "test")

    with tracing.span("lost"):
        done = True
    tracing.stop()

    assert (done, tracing.current()) == (True, "")


def test_off_nothing_is_imported_and_nothing_said():
    code = """
import sys
from flops_runtime import one_shot, tracing
tracing.start(tracing.TraceSettings(), "test")
with tracing.of_process("one"), tracing.span("two"), tracing.begin("three"):
    inside = tracing.current()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
assert (inside, tracing.begin("four").traceparent) == ("", "")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_project_remembers_the_trace_of_its_request(traced):
    world = World()
    sent = by("ada's", traceparent=PARENT)

    world.api().test_client().post(PROJECTS, json=SLA, headers=sent)

    (project,) = world.stored()
    spans = traced()
    assert trace_id_of(project.trace) == TRACE
    assert spans[f"POST {PROJECTS}"].id == project.trace.split("-")[2]


def test_a_request_that_only_looks_is_a_span_where_its_caller_traces(traced, collector):
    client = World().api().test_client()

    client.get(PROJECTS, headers=by("ada's"))
    client.get(PROJECTS, headers=by("ada's", traceparent=PARENT))

    traced()
    assert [(span.name, span.trace) for span in collector.spans()] == [(f"GET {PROJECTS}", TRACE)]


def test_without_traces_a_project_has_none():
    world = World()

    world.api().test_client().post(PROJECTS, json=SLA, headers=by("ada's"))

    assert [item.trace for item in world.stored()] == [""]


def test_a_request_to_an_application_is_part_of_the_callers_trace(traced):

    async def application(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def nothing(*_):
        return {}

    watched = Watched(application, lambda *_: None, lambda scope: scope["path"])
    for path, headers in (("/one", [(b"traceparent", PARENT.encode())]), ("/two", [])):
        scope = {"type": "http", "path": path, "headers": headers}
        asyncio.run(watched(scope, nothing, nothing))

    assert {name: item.trace for name, item in traced().items()} == {"/one": TRACE}

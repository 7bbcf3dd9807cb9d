"""One trace from the request that started a project to the served model, by all services."""

import pytest
import requests

from flops_cli.local.held_out import fetch_samples
from flops_contracts.roles import Role
from support.e2e_suite import shared_spans
from support.waiting import until

pytestmark = pytest.mark.e2e

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ROUNDS = {"round 1", "round 2", "round 3"}
MODEL_SERVER = "flops-model_server"
WORKER = "flops-manager-worker"


@pytest.fixture(scope="module")
def collector():
    return shared_spans()


@pytest.fixture
def project(served_project):
    return served_project


@pytest.fixture(scope="module")
def trace(world, collector, served_project):
    """Return the id of the project's trace, when everybody has sent what belongs to it."""
    (server,) = [
        actor["instance"]
        for actor in served_project.document["actors"]
        if actor["role"] == Role.MODEL_SERVER
    ]
    trace = world.process_of(server).environ()["FLOPS_TRACEPARENT"].split("-")[1]
    late = {(MODEL_SERVER, "load the model"), (WORKER, "Locate"), (WORKER, "event model_serving")}
    until(
        lambda: late <= {(span.service, span.name) for span in collector.spans(trace)},
        what="the last spans",
    )
    return trace


def test_everybody_who_took_part_is_in_the_trace(collector, trace):
    assert collector.services(trace) >= {
        "flops-manager-api",
        WORKER,
        "flops-builder",
        "flops-aggregator",
        "flops-learner",
        "flops-ml-data-server",
        MODEL_SERVER,
    }


@pytest.mark.parametrize(
    ("service", "names"),
    [
        (WORKER, {"CreateApplications", "Place", "Deploy", "Undeploy", "Locate"}),
        (WORKER, {"event actors_built", "event trained", "event model_serving"}),
        ("flops-builder", {"builder", "clone", "check", "resolve", "download"}),
        ("flops-aggregator", {"aggregator", *ROUNDS, "store the best model"}),
        ("flops-learner", {"learner", "load the model", "load the data", "fit", "evaluate"}),
        ("flops-ml-data-server", {"claim", "read"}),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_service_sends_its_spans(collector, trace, service, names):
    assert collector.names(service, trace) >= names


def test_the_trace_is_one_tree(collector, trace):
    spans = collector.spans(trace)
    span_ids = {span.id for span in spans}

    assert [span.name for span in spans if not span.parent] == ["POST /api/flops/projects"]
    # What still runs, the model server, sends its own span when it ends.
    assert len({span.parent for span in spans if span.parent} - span_ids) == 1


@pytest.mark.parametrize(
    ("child", "parents"),
    [("fit", ROUNDS), ("evaluate", ROUNDS)],
)
def test_a_learners_work_is_part_of_the_aggregators_round(collector, trace, child, parents):
    spans = {span.id: span for span in collector.spans(trace)}
    above = [spans[span.parent] for span in spans.values() if span.name == child]

    assert {(item.service, item.name) for item in above} == {
        ("flops-aggregator", name) for name in parents
    }


def test_what_a_data_server_does_is_part_of_a_learners_loading(collector, trace):
    spans = {span.id: span for span in collector.spans(trace)}
    above = [spans[span.parent] for span in spans.values() if span.name in {"claim", "read"}]

    assert {(item.service, item.name) for item in above} == {("flops-learner", "load the data")}


@pytest.mark.parametrize("name", ["manager-worker", "learner", "aggregator"])
def test_log_lines_name_the_trace(world, trace, name):
    logs = [path.read_text() for path in world.state.rglob("*.log*") if path.is_file()]

    matching = [text for text in logs if f'"trace_id": "{trace}"' in text]

    assert any(f"flops_{name.partition('-')[0]}" in text for text in matching)


def test_mock_data_have_a_trace_of_their_own(collector, trace):
    first = next(span for span in collector.spans() if span.name == "POST /api/flops/mocks")

    assert first.trace != trace
    assert collector.services(first.trace) >= {"flops-mock_data_provider", "flops-ml-data-server"}
    assert "store" in collector.names("flops-ml-data-server", first.trace)


def test_a_prediction_is_part_of_the_callers_trace_and_of_no_other(collector, world, project):
    samples = fetch_samples(world.suite.network.data_server(1), "mnist")
    url = f"{project.model_url}/invocations"
    document = {"inputs": [list(map(float, input_)) for input_ in samples.inputs[:3]]}

    for headers in ({}, {"traceparent": PARENT}):
        answer = requests.post(url, json=document, headers=headers, timeout=120)
        assert answer.ok, answer.text

    until(lambda: collector.names(MODEL_SERVER, TRACE), what="the prediction's span")
    assert [span.parent for span in collector.spans() if span.name == "predict"] == [
        "00f067aa0ba902b7"
    ]

"""Services that users reach at a node's port: each has its own, and is known by its name."""

import pytest

from flops_contracts.events import Kind
from flops_contracts.ports import USED_PORTS
from flops_contracts.roles import Stage
from flops_manager.adapters.oakestra_documents import published_port_of, state_from_document
from flops_manager.domain.deployments import Installation, PortRange
from flops_manager.domain.errors import OrchestratorUnavailableError
from flops_manager.usecases.caller import Caller
from flops_runtime.environment import BadSettingsError, read
from support.manager_core import ANNA, SERVING
from support.waiting import until

INSTANCE = {"instance_number": 0, "status": "RUNNING", "host_ip": "192.0.2.9"}


def published(core):
    """Return the ports that services asked for, by service name."""
    return {
        name: deployment.port
        for name, deployment in core.orchestrator.running().items()
        if deployment.port
    }


def test_services_of_all_customers_have_ports_of_their_own(core):
    for customer in ("anna", "ben", "cleo"):
        core.app.tracking.url_for(Caller(customer))
    served = [core.reach_serving() for _ in range(2)]

    ports = published(core)

    # Three tracking servers; an observer and a model of each project.
    assert len(ports) == 3 + 2 * len(served)
    assert len(set(ports.values())) == len(ports)
    assert not set(ports.values()) & set(USED_PORTS)


def test_a_model_is_told_at_the_port_of_its_server(core):
    project_id, server = core.reach_serving()

    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)

    project = core.until_stage(project_id, Stage.COMPLETED)
    port = published(core)[server]
    assert project.model_address.endswith(f":{port}")
    assert project.service(server).port == port


def test_an_address_at_which_another_server_answers_is_not_told(core):
    project_id, server = core.reach_serving()
    state = core.orchestrator.states(core.orchestrator.running()[server].application)[server]
    url = f"http://{state.public_address}:{state.port}"
    core.identities.instances[url] = "mdlxanother"

    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)
    until(lambda: core.identities.requests.count(url) > 1, what="the address is checked again")
    assert core.project(project_id).model_address == ""

    core.identities.instances[url] = server
    assert core.until_stage(project_id, Stage.COMPLETED).model_address == url


def test_a_tracking_server_of_somebody_else_is_not_told(core):
    url = core.app.tracking.url_for(ANNA).url
    core.identities.instances[url] = "trkxanother"

    with pytest.raises(OrchestratorUnavailableError, match="trkxanother answers instead"):
        core.app.tracking.url_for(ANNA)


def test_the_port_of_a_deleted_project_is_given_back(core):
    project_id, server = core.reach_serving()
    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)
    core.until_stage(project_id, Stage.COMPLETED)
    book = core.adapters.addresses
    before = book.port_for(server)

    core.app.projects.delete(project_id, ANNA)
    until(lambda: server not in core.orchestrator.running(), what="it is removed")

    until(lambda: server not in book._ports.values(), what="its port is released")
    assert book._ports[before] == ""


def test_a_project_that_serves_nothing_takes_no_port_for_a_model(core):
    core.reach_training(steps=())

    assert {name[:3] for name in published(core)} == {"trk", "obs"}


@pytest.mark.parametrize(
    ("reported", "address"),
    [
        ({"publicip": "203.0.113.4"}, "203.0.113.4"),
        ({"publicip": ""}, "192.0.2.9"),
        ({"publicip": None}, "192.0.2.9"),
        ({}, "192.0.2.9"),
    ],
)
def test_a_node_without_public_address_is_reached_at_its_own(reported, address):
    document = {"_id": "5", "port": "21003:21003", "instance_list": [{**INSTANCE, **reported}]}

    state = state_from_document(document)

    assert (state.public_address, state.port) == (address, 21_003)


@pytest.mark.parametrize(
    ("text", "port"), [("8080", 8080), ("21000:80/tcp;53/udp", 21_000), ("", 0), (None, 0)]
)
def test_the_published_port_of_a_document(text, port):
    assert published_port_of({"port": text}) == port


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("21000", "must be like 21000-24999"),
        ("80-90", "lie in 1024"),
        ("30000-20000", "must rise"),
        ("7000-9000", "contains 7027"),
    ],
)
def test_a_range_that_would_capture_other_traffic_is_refused(text, problem):
    with pytest.raises(BadSettingsError, match=problem):
        read(Installation, {"FLOPS_PUBLISHED_PORTS": text})


def test_the_range_is_set_by_its_ends():
    installation = read(Installation, {"FLOPS_PUBLISHED_PORTS": "31000-31001"})

    assert list(installation.published_ports.numbers) == [31_000, 31_001]
    assert read(Installation, {}).published_ports == PortRange()

"""Mock data providers over memory adapters: what the worker does with them."""

from flops_contracts.events import DataProvided, Fragment, Kind
from flops_contracts.roles import MockStage
from flops_manager.domain.states import Health
from support.manager_core import (
    ANNA,
    PROVIDED,
    Core,
    a_failure,
    a_landscape,
    a_mock_sla,
    a_node,
    an_event,
)
from support.waiting import until


def test_a_provider_that_ends_well_without_a_result_is_found(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    service = until(
        lambda: (
            (current := core.app.mocks.get(mock.id, ANNA)).services
            and current.services[0].job_id
            and current.services[0]
        )
    )

    core.orchestrator.change_state(service.instance, health=Health.ENDED, status="COMPLETED")

    until(lambda: core.app.mocks.get(mock.id, ANNA).stage is MockStage.FAILED)


def test_a_mock_is_provided_and_its_service_removed(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    running = until(
        lambda: (
            (current := core.app.mocks.get(mock.id, ANNA)).services
            and current.services[0].job_id
            and current
        )
    )

    core.bus.say(an_event(running, running.services[0].instance, Kind.DATA_PROVIDED, PROVIDED))

    done = until(
        lambda: (
            (current := core.app.mocks.get(mock.id, ANNA)).stage is MockStage.COMPLETED and current
        )
    )
    assert done.fragments == PROVIDED.fragments
    until(lambda: core.running() == set(), what="the provider is gone")


def test_a_mock_that_fails_says_why(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    running = until(
        lambda: (
            (current := core.app.mocks.get(mock.id, ANNA)).services
            and current.services[0].job_id
            and current
        )
    )

    core.bus.say(
        an_event(
            running, running.services[0].instance, Kind.FAILED, a_failure("no such dataset", 22)
        ),
    )

    failed = until(
        lambda: (current := core.app.mocks.get(mock.id, ANNA)).stage is MockStage.FAILED and current
    )
    assert failed.error.reason == "no such dataset"
    until(lambda: core.running() == set(), what="the provider is gone")


def test_a_mock_on_two_nodes_has_a_provider_on_each_until_both_are_done():
    nodes = (a_node("node-1"), a_node("node-2"))
    core = Core(landscape=a_landscape(nodes, {node.name: {} for node in nodes}))
    with core.working():
        mock = core.app.mocks.submit(a_mock_sla(nodes=2), ANNA)
        running = until(
            lambda: (
                (current := core.app.mocks.get(mock.id, ANNA)).services
                and all(service.job_id for service in current.services)
                and current
            )
        )
        deployed = core.orchestrator.running()
        first, second = (service.instance for service in running.services)
        for instance, partition in ((first, 0), (second, 1)):
            stored = DataProvided("mnist", (Fragment(f"{partition}", 5, 9, partition=partition),))
            core.bus.say(an_event(running, instance, Kind.DATA_PROVIDED, stored))
        done = until(
            lambda: (
                (current := core.app.mocks.get(mock.id, ANNA)).stage is MockStage.COMPLETED
                and current
            )
        )
        until(lambda: core.running() == set(), what="the providers are gone")

    places = [
        (deployed[item].node, deployed[item].environment["FLOPS_NODE_INDEX"])
        for item in (first, second)
    ]
    assert places == [("node-1", "0"), ("node-2", "1")]
    assert [fragment.partition for fragment in done.fragments] == [0, 1]

"""Mock data providers over memory adapters: what the worker does with them."""

from flops_contracts.events import Kind
from flops_contracts.roles import MockStage
from flops_manager.domain.states import Health
from support.manager_core import ANNA, PROVIDED, a_failure, a_mock_sla, an_event
from support.waiting import until


def test_a_provider_that_ends_well_without_a_result_is_found(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    service = until(
        lambda: (
            (found := core.app.mocks.get(mock.id, ANNA)).services
            and found.services[0].job_id
            and found.services[0]
        )
    )

    core.orchestrator.change_state(service.instance, health=Health.ENDED, status="COMPLETED")

    until(lambda: core.app.mocks.get(mock.id, ANNA).stage is MockStage.FAILED)


def test_a_mock_is_provided_and_its_service_removed(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    running = until(
        lambda: (
            (found := core.app.mocks.get(mock.id, ANNA)).services
            and found.services[0].job_id
            and found
        )
    )

    core.bus.say(
        an_event(running, running.services[0].instance, Kind.DATA_PROVIDED, PROVIDED), is_mock=True
    )

    done = until(
        lambda: (found := core.app.mocks.get(mock.id, ANNA)).stage is MockStage.COMPLETED and found
    )
    assert done.fragments == PROVIDED.fragments
    until(lambda: core.running() == set(), what="the provider is gone")


def test_a_mock_that_fails_says_why(core):
    mock = core.app.mocks.submit(a_mock_sla(), ANNA)
    running = until(
        lambda: (
            (found := core.app.mocks.get(mock.id, ANNA)).services
            and found.services[0].job_id
            and found
        )
    )

    core.bus.say(
        an_event(
            running, running.services[0].instance, Kind.FAILED, a_failure("no such dataset", 22)
        ),
        is_mock=True,
    )

    failed = until(
        lambda: (found := core.app.mocks.get(mock.id, ANNA)).stage is MockStage.FAILED and found
    )
    assert failed.error.reason == "no such dataset"
    until(lambda: core.running() == set(), what="the provider is gone")

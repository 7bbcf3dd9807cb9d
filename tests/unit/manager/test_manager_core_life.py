"""A project's whole life over memory adapters: its stages, what is known of it, what runs."""

from flops_contracts.events import Kind, Progress
from flops_contracts.roles import Role, Stage
from flops_manager.domain.states import Health
from flops_manager.usecases.watch import SETTLING_SECONDS
from support.manager_core import (
    ANNA,
    BUILD,
    MODEL_BUILT,
    OBSERVATORY,
    SERVING,
    TRAINED,
    Core,
    a_landscape,
    a_node,
    a_round,
)
from support.waiting import until


def test_a_project_is_trained_and_served(core):
    project_id, server = core.reach_serving()

    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)

    project = core.until_stage(project_id, Stage.COMPLETED)
    assert project.model_address.startswith("http://192.0.2.")
    (server,) = project.present(Role.MODEL_SERVER)
    assert project.model_address.endswith(f":{server.port}")
    assert core.running() == {*OBSERVATORY, "mdl"}


def test_the_stages_are_announced_in_order(core):
    project_id, server = core.reach_serving()
    core.say(project_id, server, Kind.MODEL_SERVING, SERVING)
    core.until_stage(project_id, Stage.COMPLETED)

    until(lambda: core.announced_stages(project_id)[5:], what="all stages are announced")

    assert core.announced_stages(project_id) == [
        "submitted",
        "building_actors",
        "training",
        "building_model",
        "serving",
        "completed",
    ]
    assert [event.payload.stage for event in core.bus.published] == (
        core.announced_stages(project_id)
    )


def test_a_project_without_steps_ends_with_training(core):
    project_id, aggregator, _ = core.reach_training(steps=())

    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)

    core.until_stage(project_id, Stage.COMPLETED)
    until(lambda: core.running() == OBSERVATORY, what="actors are gone")


def test_a_project_may_want_an_image_only(core):
    project_id, aggregator, _ = core.reach_training(steps=(BUILD,))
    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.say(project_id, builder, Kind.MODEL_BUILT, MODEL_BUILT)

    assert core.until_stage(project_id, Stage.COMPLETED).model_image == MODEL_BUILT.image
    until(lambda: core.running() == OBSERVATORY, what="the builder is gone")


def test_rounds_progress_and_notices_are_part_of_the_project(core):
    project_id, aggregator, _ = core.reach_training()

    core.say(project_id, aggregator, Kind.ROUND_COMPLETED, a_round(2))
    core.say(project_id, aggregator, Kind.ROUND_COMPLETED, a_round(1))
    core.say(project_id, aggregator, Kind.ROUND_COMPLETED, a_round(1))
    core.say(project_id, aggregator, Kind.PROGRESS, Progress("storing the model"))

    project = core.project(project_id)
    assert [round_.round for round_ in project.rounds] == [1, 2]
    assert project.progress.message == "storing the model"


def test_a_taken_service_address_is_replaced_by_the_next(core):
    first, _, _ = core.reach_training()
    taken = core.project(first).present(Role.AGGREGATOR)[0].address
    core.app.projects.cancel(first, ANNA)
    until(lambda: core.running() == OBSERVATORY, what="the aggregator is gone")
    other = Core()
    other.orchestrator.taken_addresses.add(taken)

    assert taken.startswith("10.30.")
    with other.working():
        project_id, aggregator, _ = other.reach_training()
    assert other.orchestrator.running()[aggregator].address not in {"", taken}
    assert other.project(project_id).present(Role.AGGREGATOR)[0].address != taken


def test_learners_are_spread_and_given_their_share():
    nodes = (a_node("node-1"), a_node("node-2"))
    core = Core(
        landscape=a_landscape(nodes, {"node-1": {"mnist": 3000}, "node-2": {"mnist": 1500}})
    )
    with core.working():
        core.reach_training(learners=3)

    shares = sorted(
        (
            item.node,
            item.environment["FLOPS_LEARNER_INDEX"],
            item.environment["FLOPS_NODE_LEARNERS"],
        )
        for name, item in core.orchestrator.running().items()
        if name.startswith("lrn")
    )
    assert shares == [("node-1", "0", "2"), ("node-1", "1", "2"), ("node-2", "0", "1")]


def test_the_observer_of_a_project_that_failed_at_once_is_still_looked_at(core):
    project_id = core.submit(tags=("cifar10",))
    observer = core.until_stage(project_id, Stage.FAILED).present(Role.OBSERVER)[0].instance
    core.orchestrator.change_state(observer, status="NODE_SCHEDULED")

    until(lambda: core.project(project_id).service(observer).status == "NODE_SCHEDULED")
    core.clock.pass_seconds(SETTLING_SECONDS + 1)
    core.until_looked_at()
    core.orchestrator.change_state(observer, status="RUNNING")
    core.until_looked_at()

    assert core.project(project_id).service(observer).status == "NODE_SCHEDULED"


def test_services_are_shown_as_the_orchestrator_sees_them(core):
    project_id = core.submit()
    observer = core.until_running(project_id, Role.OBSERVER)[0]

    until(lambda: core.project(project_id).service(observer).status == "RUNNING")
    core.orchestrator.change_state(observer, health=Health.DEAD, status="DEAD")

    until(lambda: core.project(project_id).service(observer).status == "DEAD")
    assert core.project(project_id).stage is not Stage.FAILED

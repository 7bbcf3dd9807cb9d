"""Images are not built again, whether or not their builder could report them."""

import pytest

from flops_contracts.build_records import actors_note, model_note
from flops_contracts.events import Kind
from flops_contracts.roles import Role, Stage
from flops_manager.domain.states import Health
from support.manager_core import ACTORS_BUILT, ANNA, MODEL_BUILT, TRAINED, Core, a_failure


@pytest.fixture
def core():
    with Core().working() as working:
        yield working


def test_a_builder_that_vanished_after_its_work_costs_nothing(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    core.images.notes[actors_note(project_id)] = ACTORS_BUILT

    core.orchestrator.change_state(builder, health=Health.DEAD, status="DEAD")

    assert core.until_stage(project_id, Stage.TRAINING).images == ACTORS_BUILT.images


def test_a_builder_that_vanished_before_that_fails_its_project(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]

    core.orchestrator.destine(builder, health=Health.DEAD, status="DEAD")

    assert core.until_stage(project_id, Stage.FAILED).error.instance == builder


def test_a_retry_whose_images_exist_goes_straight_to_training(core):
    project_id = core.submit()
    builder = core.until_running(project_id, Role.BUILDER)[0]
    core.say(project_id, builder, Kind.FAILED, a_failure())
    core.until_stage(project_id, Stage.FAILED)
    core.images.notes[actors_note(project_id)] = ACTORS_BUILT

    core.app.projects.retry(project_id, ANNA)

    core.until_stage(project_id, Stage.TRAINING)
    core.until_running(project_id, Role.AGGREGATOR)
    assert "bld" not in core.running()


def test_a_model_image_that_exists_is_not_built(core):
    project_id, aggregator, _ = core.reach_training()
    core.images.notes[model_note(project_id, TRAINED.run_id)] = MODEL_BUILT

    core.say(project_id, aggregator, Kind.TRAINED, TRAINED)

    assert core.until_stage(project_id, Stage.SERVING).model_image == MODEL_BUILT.image

"""Records that the database refuses end a project with that cause, or are put aside."""

from dataclasses import replace

import pytest

from flops_contracts.events import Kind, Notice
from flops_contracts.roles import Stage
from flops_manager.domain.errors import RecordTooLargeError, UnstorableError
from support.manager_core import TRAINED, Core, CountingProjects, a_round
from support.waiting import until


class NarrowProjects(CountingProjects):
    """A store that takes no project with a round in it."""

    def save(self, record):
        if record.subject.rounds:
            raise RecordTooLargeError("The database takes no document of this size.")
        super().save(record)


class NarrowCore(Core):
    def another(self, holder):
        self.adapters = type(self.adapters)(**{**vars(self.adapters), "projects": self.narrow()})
        return super().another(holder)

    def narrow(self):
        store = getattr(self, "_narrow", None) or NarrowProjects()
        self._narrow = store
        return store


def test_the_project_fails_with_the_true_cause_and_another_goes_on():
    core = NarrowCore()
    with core.working():
        project_id, aggregator, _ = core.reach_training()
        core.say(project_id, aggregator, Kind.ROUND_COMPLETED, a_round())

        failed = core.until_stage(project_id, Stage.FAILED)
        assert "takes no document of this size" in failed.error.reason
        assert failed.stopped_in is Stage.TRAINING

        other, _, _ = core.reach_training()
        assert core.project(other).stage is Stage.TRAINING


POISON = "poison"


@pytest.fixture
def core_with_poison():
    """Return a core whose history takes no event with a certain text."""
    core = Core()
    append = core.adapters.history.append

    def append_or_refuse(subject_id, event):
        if POISON in str(event.payload):
            raise UnstorableError("The database takes no record with such a value.")
        return append(subject_id, event)

    core.adapters.history.append = append_or_refuse
    with core.working():
        yield core


def test_a_message_that_cannot_be_stored_is_put_aside_with_a_notice(core_with_poison):
    core = core_with_poison
    project_id, aggregator, _ = core.reach_training()

    core.say(project_id, aggregator, Kind.NOTICE, Notice(POISON))

    notice = until(lambda: core.project(project_id).notices, what="the notice")[0]
    assert notice == (
        f"A message (notice) of the aggregator {aggregator} could not be stored and was put aside."
    )
    assert core.project(project_id).stage is Stage.TRAINING


def test_a_result_that_cannot_be_stored_fails_the_project_with_that_cause(core_with_poison):
    core = core_with_poison
    project_id, aggregator, _ = core.reach_training()

    event = core.say(project_id, aggregator, Kind.TRAINED, replace(TRAINED, model_name=POISON))

    error = core.until_stage(project_id, Stage.FAILED).error
    assert error.error == "UnstorableError"
    until(lambda: event.event_id in core.bus.acknowledged, what="the actor may end")

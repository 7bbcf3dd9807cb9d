"""A project whose record the database refuses ends with that cause, and holds up no other."""

from flops_contracts.events import Kind
from flops_contracts.roles import Stage
from flops_manager.domain.errors import RecordTooLargeError
from support.manager_core import Core, CountingProjects, a_round


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

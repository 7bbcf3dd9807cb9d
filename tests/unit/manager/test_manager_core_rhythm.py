"""The worker's looks at the orchestrator: by the clock, and after a reported change."""

import pytest

from flops_manager.domain.errors import OrchestratorUnavailableError
from flops_manager.usecases.rhythm import Lookout, Rhythm
from support.memory.changes import MemoryStateChanges


class Watch:
    """A lookout, its clock, and its source of changes."""

    def __init__(self, *, is_offered=True, **rhythm):
        self.seconds = 1000.0
        self.woken = 0
        self.changes = MemoryStateChanges(is_offered=is_offered)
        self.lookout = Lookout(self.changes, Rhythm(**rhythm), lambda: self.seconds)
        self.lookout.hear(self.wake)

    def wake(self):
        self.woken += 1

    def looks(self, seconds):
        """Return after how many seconds it looks, in steps of a half."""
        began, moments = self.seconds, []
        for _ in range(seconds * 2):
            self.seconds += 0.5
            if self.lookout.is_due():
                moments.append(self.seconds - began)
        return moments


def test_without_hooks_it_looks_every_five_seconds():
    assert Watch(is_offered=False).looks(16) == [5, 10, 15]


def test_with_reported_changes_there_is_a_look_every_fifteen_seconds():
    assert Watch().looks(31) == [15, 30]


def test_a_change_is_looked_at_soon_and_wakes_the_worker():
    watch = Watch()
    watch.looks(3)

    watch.changes.happen()

    assert watch.looks(2) == [0.5]
    assert watch.woken == 1


def test_a_storm_of_changes_leaves_a_second_between_two_looks():
    watch = Watch()
    watch.looks(3)
    moments = []

    for _ in range(4):
        watch.changes.happen()
        watch.changes.happen()
        moments += watch.looks(1)

    assert moments == [0.5, 0.5, 0.5, 0.5]
    assert watch.woken == 8


def test_the_first_look_waits_until_things_have_settled_whatever_is_reported():
    watch = Watch(settle_seconds=20)
    watch.lookout.begin()

    watch.changes.happen()

    assert watch.looks(21) == [20]


class Refusing(MemoryStateChanges):
    def hear(self, tell):
        raise OrchestratorUnavailableError("no hooks here")


def test_an_orchestrator_without_hooks_costs_a_line_in_the_log(caplog):
    lookout = Lookout(Refusing(), Rhythm())

    lookout.hear(lambda: None)

    assert "only polled: no hooks here" in caplog.text


@pytest.mark.parametrize("times", [1, 2])
def test_who_stopped_hears_nothing(times):
    watch = Watch()

    for _ in range(times):
        watch.lookout.stop()
    watch.changes.happen()

    assert watch.woken == 0

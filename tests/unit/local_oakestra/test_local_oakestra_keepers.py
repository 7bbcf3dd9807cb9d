"""Keepers start, watch, restart and stop workloads, on a runtime without processes."""

from flops_local_oakestra.domain.statuses import Status, exit_detail, status_after_exit
from flops_local_oakestra.ports.runtime import Workload
from flops_local_oakestra.usecases.keepers import Habits, Keeper, stop_all
from support.memory.runtime import MemoryRuntime, Script
from support.waiting import until

IMAGES = {"good": Script(code=0), "bad": Script(code=3), "stays": Script()}


class Story:
    """A keeper and its reports."""

    def __init__(
        self, image: str, *, one_shot: bool = False, restart_seconds: float = 60.0
    ) -> None:
        self.reported: list[tuple[Status, str]] = []
        self.has_ended = False
        self.runtime = MemoryRuntime(IMAGES)
        self.keeper = Keeper(
            self.runtime,
            Workload("w", image, "127.30.64.1"),
            Habits(restart_seconds, 1.0, one_shot),
            report=lambda status, detail: self.reported.append((status, detail)),
            ended=self.end,
        )

    def end(self) -> None:
        self.has_ended = True


def test_a_one_shot_that_succeeds_is_completed_and_not_restarted():
    story = Story("good", one_shot=True)

    story.keeper.start()

    assert story.keeper.join(300)
    assert story.reported == [(Status.RUNNING, ""), (Status.COMPLETED, "exit code 0")]
    assert story.has_ended


def test_a_one_shot_that_fails_is_restarted():
    story = Story("bad", one_shot=True, restart_seconds=0.01)

    story.keeper.start()

    until(lambda: len(story.runtime.started) >= 3)
    story.keeper.stop()
    assert story.keeper.join(300)
    assert story.reported[:3] == [
        (Status.RUNNING, ""),
        (Status.DEAD, "exit code 3"),
        (Status.NODE_SCHEDULED, ""),
    ]


def test_stopping_ends_the_workload_without_further_reports():
    story = Story("stays")
    story.keeper.start()
    until(lambda: story.reported)

    story.keeper.stop()

    assert story.keeper.join(300)
    assert story.reported == [(Status.RUNNING, "")]
    assert story.has_ended


def test_stopping_ends_the_wait_for_a_restart():
    story = Story("bad")
    story.keeper.start()
    until(lambda: len(story.reported) == 2)

    story.keeper.stop()

    assert story.keeper.join(300)


def test_a_missing_image_is_reported_and_tried_again():
    story = Story("missing", restart_seconds=0.01)

    story.keeper.start()

    until(lambda: len(story.reported) >= 3)
    story.keeper.stop()
    failure = (Status.FAILED, "image missing is not in the image store")
    assert story.reported[0] == story.reported[2] == failure


def test_a_successor_starts_when_its_predecessor_has_ended():
    first, second = Story("stays"), Story("good", one_shot=True)
    first.keeper.start()
    second.keeper.start([first.keeper])
    assert second.runtime.started == []

    first.keeper.stop()

    assert second.keeper.join(300)
    assert second.reported[-1][0] is Status.COMPLETED


def test_all_are_stopped_at_the_same_time():
    stories = [Story("stays"), Story("stays")]
    for story in stories:
        story.keeper.start()

    assert stop_all([story.keeper for story in stories], 1.0, 10.0)
    assert all(story.has_ended for story in stories)


def test_only_a_one_shot_with_exit_code_0_completes():
    assert status_after_exit(0, one_shot=True) is Status.COMPLETED
    assert status_after_exit(0, one_shot=False) is Status.DEAD
    assert status_after_exit(1, one_shot=True) is Status.DEAD


def test_an_end_by_signal_is_named():
    assert exit_detail(137) == "exit code 137 (SIGKILL)"
    assert exit_detail(3) == "exit code 3"

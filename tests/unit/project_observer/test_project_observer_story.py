"""The lines that events become in the observer's log."""

from dataclasses import replace

import pytest

from flops_contracts.events import (
    Actor,
    ActorImages,
    ActorsBuilt,
    Empty,
    Failure,
    Kind,
    LearnerPresence,
    Progress,
    RoundCompleted,
    StageChanged,
)
from flops_contracts.roles import Role
from flops_runtime.story import tell
from support.observed import observed_event


@pytest.mark.parametrize(
    ("kind", "payload", "line"),
    [
        (Kind.STARTED, Empty(), "started"),
        (Kind.PROGRESS, Progress("cloning"), "cloning"),
        (Kind.PROGRESS, Progress("installing", 3, 12, "packages"), "installing 3/12 packages"),
        (Kind.LEARNER_JOINED, LearnerPresence("l1", 1, 2), "learner l1 joined (1/2)"),
        (
            Kind.ROUND_COMPLETED,
            RoundCompleted(2, 3, loss=0.5, accuracy=0.875, seconds=1.25),
            "round 2/3 took 1.2 s, accuracy 0.8750, loss 0.5000",
        ),
        (
            Kind.ROUND_COMPLETED,
            RoundCompleted(1, 3, loss=None, accuracy=None, seconds=1.0),
            "round 1/3 took 1.0 s",
        ),
        (
            Kind.FAILED,
            Failure("no such file", 12, hint="Add it.", where="a.py:3"),
            "FAILED at a.py:3: no such file. Add it.",
        ),
        (
            Kind.STAGE_CHANGED,
            StageChanged("failed", "training", reason="no data"),
            "training -> failed: no data",
        ),
        (
            Kind.ACTORS_BUILT,
            ActorsBuilt(ActorImages("a", "b"), "0123456789abcdef", "3.11", "x", reused=True),
            "images reused for commit 0123456789ab",
        ),
    ],
)
def test_an_event_is_described_in_a_few_words(kind, payload, line):
    assert tell(observed_event(kind, payload)) == line


def test_a_round_of_a_cluster_is_described_with_its_cluster_and_cycle():
    done = RoundCompleted(1, 3, loss=None, accuracy=None, seconds=1.0, cycle=2)
    actor = Actor(Role.CLUSTER_AGGREGATOR, "cag0x1", "east", "node1")

    line = tell(replace(observed_event(Kind.ROUND_COMPLETED, done), actor=actor))

    assert line == "east, cycle 2: round 1/3 took 1.0 s"


def test_a_cycle_is_not_described_as_a_round():
    done = RoundCompleted(1, 2, loss=None, accuracy=0.5, seconds=1.0, is_cycle=True)

    line = tell(observed_event(Kind.ROUND_COMPLETED, done))

    assert line == "cycle 1/2 took 1.0 s, accuracy 0.5000"

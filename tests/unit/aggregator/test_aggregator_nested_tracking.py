"""A cluster's run in MLflow: below the run that its parent names, with every round in it."""

from dataclasses import dataclass, field

import pytest

from flops_aggregator.tracking.mlflow_tracking import step_of
from flops_aggregator.tracking.nested_tracking import NestedTracking
from flops_contracts.events import RoundCompleted


@dataclass
class Run:
    """Remembers what is asked of a run."""

    started: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    is_finished: bool = False

    def run_id(self):
        return "of the cluster"

    def start(self, name, parameters, tags):
        self.started.append((name, tags))

    def record_round(self, completed):
        self.rounds.append(completed.round)

    def finish(self):
        self.is_finished = True


@pytest.fixture
def run():
    return Run()


@pytest.fixture
def nested(run):
    return NestedTracking(run, "cag1", "munich", {"rounds": 3}, {"flops.project_id": "p"})


def a_round(number, rounds=3, **changes):
    return RoundCompleted(number, rounds, loss=0.5, accuracy=0.5, seconds=1.0, **changes)


def test_the_run_is_opened_once_below_the_parents_run_and_named_after_the_cluster(nested, run):
    nested.nest_in("parent")
    nested.nest_in("parent")

    assert run.started == [
        (
            "munich",
            {
                "flops.project_id": "p",
                "flops.instance": "cag1",
                "flops.cluster": "munich",
                "mlflow.parentRunId": "parent",
            },
        )
    ]


def test_rounds_from_before_the_parent_knew_its_run_are_written_later_and_first(nested, run):
    nested.nest_in("")
    nested.record_round(a_round(1))
    nested.record_round(a_round(2))

    nested.nest_in("parent")
    nested.record_round(a_round(3))

    assert run.rounds == [1, 2, 3]


def test_rounds_that_never_found_a_run_are_reported(nested, run):
    warnings = []
    nested.record_round(a_round(1))

    nested.finish(warnings.append)

    assert warnings == ["MLflow lacks the rounds of munich: the parent named no run."]
    assert not run.is_finished


def test_a_cluster_that_was_never_asked_has_nothing_to_report(nested):
    warnings = []

    nested.finish(warnings.append)

    assert warnings == []


@pytest.mark.parametrize(
    ("completed", "step"),
    [
        (a_round(2), 2),
        (a_round(1, cycle=3), 7),
        (a_round(2, rounds=5, cycle=2, is_cycle=True), 2),
    ],
)
def test_steps_count_on_over_the_cycles(completed, step):
    assert step_of(completed) == step

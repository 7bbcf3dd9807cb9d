"""The demo's summary: rounds, times, accuracies, addresses."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from flops_cli.local.network import Network
from flops_cli.local.pooled import Pooled
from flops_cli.results import Mock, Project
from flops_cli.screen import Screen
from flops_contracts.events import RoundCompleted


@dataclass(frozen=True)
class Outcome:
    """The demo's results; accuracies are over the held-out samples, ``fits`` per learner."""

    project: Project
    mock: Mock
    held_out: int
    accuracy: float
    pooled: Pooled
    fits: int
    tracking: str
    network: Network
    data_seconds: float
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The results as JSON."""
        return {
            "project": self.project.document,
            "held_out": self.held_out,
            "accuracy": self.accuracy,
            "pooled_accuracy": self.pooled.accuracy,
            "model_url": self.project.model_url,
            "tracking_url": self.tracking,
            "seconds": self.seconds,
        }


def show_summary(outcome: Outcome, screen: Screen) -> None:
    """Print the summary."""
    project = outcome.project
    screen.say("")
    screen.say("Summary", "bold")
    show_rounds(project, screen)
    screen.table("Time", ("stage", "seconds"), _times(outcome))
    screen.say(f"Accuracy on {outcome.held_out} held-out digits")
    pooled = outcome.pooled
    yardstick = f"pooled, {outcome.fits} fits on {pooled.samples} rows at once"
    width = len(yardstick)
    federated = "federated, asked over HTTP"
    screen.say(f"  {federated:<{width}}  {outcome.accuracy:.3f}", "bold green")
    screen.say(f"  {yardstick:<{width}}  {pooled.accuracy:.3f}")
    screen.say("Addresses")
    screen.say(f"  API and its documentation  {outcome.network.api_url}/docs")
    screen.say(f"  MLflow                     {outcome.tracking}")
    screen.say(f"  the project's story        {project.story_url}")
    screen.say(f"  model                      {project.model_url}/invocations")


_MEASURED = ("accuracy", "loss", "seconds")


def show_rounds(project: Project, screen: Screen) -> None:
    """Show the rounds; in hierarchical mode the cycles, then each cluster's rounds in them."""
    unit = "cycle" if any(round_.is_cycle for round_ in project.rounds) else "round"
    rows = [(str(round_.round), *_measured(round_)) for round_ in project.rounds]
    screen.table(f"{unit.title()}s, as the learners measured them", (unit, *_MEASURED), rows)
    if not project.cluster_rounds:
        return
    columns = ("cycle", "cluster", "round", *_MEASURED)
    below = [
        (str(round_.cycle), round_.cluster, str(round_.round), *_measured(round_))
        for round_ in project.cluster_rounds
    ]
    screen.table("Rounds of the clusters in each cycle", columns, below)


def _measured(round_: RoundCompleted) -> tuple[str, str, str]:
    return (_number(round_.accuracy), _number(round_.loss), f"{round_.seconds:.2f}")


def _times(outcome: Outcome) -> list[tuple[str, str]]:
    stages = outcome.project.stages
    spans = [
        (before.stage, after.entered_at - before.entered_at) for before, after in pairwise(stages)
    ]
    rows = [("data", _seconds(timedelta(seconds=outcome.data_seconds)))]
    rows += [(stage, _seconds(span)) for stage, span in spans]
    rows.append(("all, with the comparison", _seconds(timedelta(seconds=outcome.seconds))))
    return rows


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"

"""What the demo ends with: rounds, times, accuracies, addresses."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from flops_cli.local.network import Network
from flops_cli.local.pooled import Pooled
from flops_cli.results import Mock, Project
from flops_cli.screen import Screen


@dataclass(frozen=True)
class Outcome:
    """What happened; accuracies are over the held-out samples."""

    project: Project
    mock: Mock
    held_out: int
    accuracy: float
    pooled: Pooled
    tracking: str
    network: Network
    data_seconds: float
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The same for programs."""
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
    """Print it all."""
    project = outcome.project
    screen.say("")
    screen.say("Summary", "bold")
    rounds = [
        (str(one.round), _number(one.accuracy), _number(one.loss), f"{one.seconds:.2f}")
        for one in project.rounds
    ]
    screen.table("Rounds, as the learners measured them", _ROUND_COLUMNS, rounds)
    screen.table("Time", ("stage", "seconds"), _times(outcome))
    screen.say(f"Accuracy on {outcome.held_out} held-out digits")
    pooled = outcome.pooled
    yardstick = f"pooled, {len(project.rounds)} fits on {pooled.samples} rows at once"
    width = len(yardstick)
    federated = "federated, asked over HTTP"
    screen.say(f"  {federated:<{width}}  {outcome.accuracy:.3f}", "bold green")
    screen.say(f"  {yardstick:<{width}}  {pooled.accuracy:.3f}")
    screen.say("Addresses")
    screen.say(f"  API and its documentation  {outcome.network.api_url}/docs")
    screen.say(f"  MLflow                     {outcome.tracking}")
    screen.say(f"  the project's story        {project.story_url}")
    screen.say(f"  model                      {project.model_url}/invocations")


_ROUND_COLUMNS = ("round", "accuracy", "loss", "seconds")


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

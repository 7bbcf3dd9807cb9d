"""What the demo ends with: rounds, times, accuracies, addresses."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from flops_cli.local.network import Network
from flops_cli.local.pooled import Pooled
from flops_cli.results import Mock, Project, Round
from flops_cli.screen import Screen


@dataclass(frozen=True)
class Outcome:
    """What happened; accuracies are over the held-out samples, ``fits`` those of each learner."""

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
    """Show rounds, or cycles and below them what each cluster did in them."""
    what = "cycle" if any(one.is_cycle for one in project.rounds) else "round"
    rows = [(str(one.round), *_measured(one)) for one in project.rounds]
    screen.table(f"{what.title()}s, as the learners measured them", (what, *_MEASURED), rows)
    if not project.cluster_rounds:
        return
    columns = ("cycle", "cluster", "round", *_MEASURED)
    below = [
        (str(one.cycle), one.cluster, str(one.round), *_measured(one))
        for one in project.cluster_rounds
    ]
    screen.table("Rounds of the clusters in each cycle", columns, below)


def _measured(one: Round) -> tuple[str, str, str]:
    return (_number(one.accuracy), _number(one.loss), f"{one.seconds:.2f}")


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

"""The stages of a project as a line: what was, what is, what is still to come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flops_contracts.sla import PostTrainingStep
from flops_manager.entrypoints.web.words import moment, stage

STOPPED: Final = frozenset({"failed", "cancelled"})


@dataclass(frozen=True)
class Step:
    """One stage on the line; ``state`` is done, current, failed, cancelled, skipped or open."""

    stage: str
    name: str
    state: str
    entered_at: str = ""
    seconds: float | None = None

    @property
    def said(self) -> str:
        """The state for those who do not see it."""
        return {"current": "in progress", "open": "not reached"}.get(self.state, self.state)


def planned(project: dict[str, Any]) -> list[str]:
    """Return the stages that this project's SLA leads through."""
    steps = project["sla"]["post_training_steps"]
    line = ["submitted", "building_actors", "training"]
    if PostTrainingStep.BUILD in steps:
        line.append("building_model")
    if PostTrainingStep.DEPLOY in steps:
        line.append("serving")
    return [*line, "completed"]


def line_of(project: dict[str, Any], now: datetime) -> list[Step]:
    """Return the line of a project, as the API answers it."""
    history = project["stage_history"]
    entered = {one["stage"]: position for position, one in enumerate(history)}
    line = planned(project)
    reached = max((line.index(one) for one in entered if one in line), default=0)
    steps = []
    for position, word in enumerate(line):
        if word in entered:
            steps.append(_reached(project, word, entered[word], now))
        else:
            state = "skipped" if position < reached else "open"
            steps.append(Step(word, stage(word), state))
    return steps


def _reached(project: dict[str, Any], word: str, position: int, now: datetime) -> Step:
    history = project["stage_history"]
    at = history[position]["entered_at"]
    following = history[position + 1 : position + 2]
    until = moment(following[0]["entered_at"]) if following else now
    if project["stage"] in STOPPED and project["stopped_in"] == word:
        state = project["stage"]
    elif project["stage"] == word:
        state = "done" if word == "completed" else "current"
    else:
        state = "done"
    seconds = None if word == "completed" else (until - moment(at)).total_seconds()
    return Step(word, stage(word), state, at, seconds)

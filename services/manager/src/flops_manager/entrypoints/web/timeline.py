"""The stages of a project as a line: passed, current, still to come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flops_contracts.roles import Stage
from flops_contracts.sla import PostTrainingStep
from flops_manager.domain.projects import Project
from flops_manager.entrypoints.web.words import stage

STOPPED: Final = frozenset({Stage.FAILED, Stage.CANCELLED})


@dataclass(frozen=True)
class Step:
    """One stage on the line; ``state`` is done, current, failed, cancelled, skipped or open."""

    name: str
    state: str
    seconds: float | None = None

    @property
    def text(self) -> str:
        """The state, for screen readers."""
        return {"current": "in progress", "open": "not reached"}.get(self.state, self.state)


def planned(project: Project) -> list[Stage]:
    """Return the stages that this project's SLA leads through."""
    steps = project.sla.post_training_steps
    line = [Stage.SUBMITTED, Stage.BUILDING_ACTORS, Stage.TRAINING]
    if PostTrainingStep.BUILD in steps:
        line.append(Stage.BUILDING_MODEL)
    if PostTrainingStep.DEPLOY in steps:
        line.append(Stage.SERVING)
    return [*line, Stage.COMPLETED]


def line_of(project: Project, now: datetime) -> list[Step]:
    """Return the steps of a project."""
    entered = {entry.stage: position for position, entry in enumerate(project.stage_history)}
    line = planned(project)
    reached = max((line.index(each) for each in entered if each in line), default=0)
    return [
        _reached(project, each, entered[each], now)
        if each in entered
        else Step(stage(each), "skipped" if position < reached else "open")
        for position, each in enumerate(line)
    ]


def _reached(project: Project, each: Stage, position: int, now: datetime) -> Step:
    entry, *later = project.stage_history[position : position + 2]
    state = "done"
    if project.stage in STOPPED and project.stopped_in is each:
        state = project.stage
    elif project.stage is each and each is not Stage.COMPLETED:
        state = "current"
    if each is Stage.COMPLETED:
        return Step(stage(each), state)
    until = later[0].entered_at if later else now
    return Step(stage(each), state, (until - entry.entered_at).total_seconds())

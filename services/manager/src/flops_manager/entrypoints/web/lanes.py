"""The work of each learner and cluster in each round, and how long the others waited."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from flops_contracts.events import LearnerRound, RoundCompleted
from flops_contracts.roles import Role
from flops_manager.domain.projects import Project
from flops_manager.domain.subjects import Service
from flops_manager.entrypoints.web.words import span

SHOWN: Final = 12
"""The last rounds; more do not fit on a screen."""

SLOW: Final = 1.5
"""A learner that takes this many times the median of the round is slow."""

NOTICEABLE_SECONDS: Final = 0.5
WIDTH: Final = 100


@dataclass(frozen=True)
class Cell:
    """One round of one learner. It dropped out if there is an ``error`` or it is absent.

    The reply of one that is ``is_surplus`` came too late to be needed.
    """

    fit: float = 0.0
    upload: float = 0.0
    evaluate: float = 0.0
    wait: float = 0.0
    samples: int = 0
    error: str = ""
    is_slow: bool = False
    is_absent: bool = False
    is_surplus: bool = False

    @property
    def bars(self) -> list[tuple[str, float, float]]:
        """Kind, start and width of each part, of a hundred."""
        total = self.fit + self.upload + self.evaluate + self.wait
        if total <= 0:
            return []
        parts, start = [], 0.0
        for kind in ("fit", "upload", "evaluate", "wait"):
            width = WIDTH * getattr(self, kind) / total
            parts.append((kind, round(start, 2), round(width, 2)))
            start += width
        return parts

    @property
    def text(self) -> str:
        """The cell in words."""
        if self.is_absent:
            return "took no part"
        if self.error:
            return f"failed: {self.error}"
        if self.is_surplus:
            return "not needed: others had answered before"
        times = (
            f"fit {span(self.fit)}, upload {span(self.upload)}, "
            f"evaluate {span(self.evaluate)}, wait {span(self.wait)}"
        )
        return f"{times}, {self.samples} samples" + (", slow" if self.is_slow else "")


@dataclass(frozen=True)
class Lane:
    """One learner, or one cluster of them."""

    name: str
    where: str
    cells: list[Cell]
    fetched: float | None
    note: str


@dataclass(frozen=True)
class Lanes:
    """A group of lanes over the same rounds."""

    title: str
    rounds: list[str]
    lanes: list[Lane]
    hidden: int

    @property
    def has_fetched(self) -> bool:
        """Return whether any lane shows how long its data took."""
        return any(lane.fetched is not None for lane in self.lanes)


def lanes_of(project: Project) -> list[Lanes]:
    """Return the lanes of a project: its clusters if it has any, then its learners."""
    title, role = "Learners", Role.LEARNER
    if project.is_hierarchical:
        title, role = "Clusters", Role.CLUSTER_AGGREGATOR
    members = [service for service in project.services if service.role is role]
    groups = [_group(project, title, project.rounds, members)]
    for cluster in sorted({below.cluster for below in project.cluster_rounds}):
        rounds = [below.completed for below in project.cluster_rounds if below.cluster == cluster]
        members = [
            service
            for service in project.services
            if service.role is Role.LEARNER and service.cluster == cluster
        ]
        groups.append(_group(project, f"Learners in {cluster}", rounds, members, has_cycles=True))
    return [group for group in groups if group.lanes]


def _group(
    project: Project,
    title: str,
    rounds: Sequence[RoundCompleted],
    members: Sequence[Service],
    *,
    has_cycles: bool = False,
) -> Lanes:
    shown = rounds[-SHOWN:]
    names = [service.instance for service in members]
    names += [share.learner for completed in shown for share in completed.learners]
    columns = [_column(completed) for completed in shown]
    losses = {failure.instance: failure.error.reason for failure in project.learner_failures}
    lanes = []
    for name in dict.fromkeys(names):
        service = project.service(name)
        lanes.append(
            Lane(
                name=name,
                where="/".join(filter(None, (service.cluster, service.node))) if service else "",
                cells=[column.get(name, Cell(is_absent=True)) for column in columns],
                fetched=service.fetch_seconds if service else None,
                note=losses.get(name, ""),
            )
        )
    labels = [f"{each.cycle}.{each.round}" if has_cycles else str(each.round) for each in shown]
    return Lanes(title, labels, lanes, len(rounds) - len(shown))


def _column(completed: RoundCompleted) -> dict[str, Cell]:
    times = [
        _work_seconds(share)
        for share in completed.learners
        if not share.error and not share.is_surplus
    ]
    usual = median(times) if times else 0.0
    return {share.learner: _cell(share, completed.seconds, usual) for share in completed.learners}


def _cell(share: LearnerRound, seconds: float, usual: float) -> Cell:
    work = _work_seconds(share)
    return Cell(
        fit=share.fit_seconds,
        upload=share.upload_seconds,
        evaluate=share.evaluate_seconds,
        wait=max(seconds - work, 0.0),
        samples=share.samples,
        error=share.error,
        is_slow=work > SLOW * usual and work - usual > NOTICEABLE_SECONDS,
        is_surplus=share.is_surplus,
    )


def _work_seconds(share: LearnerRound) -> float:
    return share.fit_seconds + share.upload_seconds + share.evaluate_seconds

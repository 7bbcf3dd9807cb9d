"""What each learner and cluster did in each round, and how long it made the others wait."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from flops_manager.entrypoints.web.words import moment, span

SHOWN: Final = 12
"""The last rounds; more do not fit on a screen."""

SLOW: Final = 1.5
"""Who takes this many times the median of the round is slow."""

NOTICEABLE_SECONDS: Final = 0.5
WIDTH: Final = 100


@dataclass(frozen=True)
class Cell:
    """One round of one learner; an ``error`` or nothing at all means that it dropped out.

    Who is ``is_surplus`` was too late to be needed.
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
    def said(self) -> str:
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
    fetched: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Lanes:
    """A group of lanes over the same rounds."""

    title: str
    rounds: list[str]
    lanes: list[Lane]
    hidden: int = 0
    has_fetched: bool = field(default=False)


def lanes_of(project: dict[str, Any], events: Sequence[dict[str, Any]]) -> list[Lanes]:
    """Return the lanes of a project: its clusters if it has such, then its learners."""
    actors = {one["instance"]: one for one in project["actors"]}
    lost = {one["instance"]: one["error"]["reason"] for one in project["learner_failures"]}
    fetched = _fetch_seconds(events)
    is_hierarchical = project["sla"]["training_configuration"]["mode"] == "hierarchical"
    role = "cluster_aggregator" if is_hierarchical else "learner"
    groups = [
        _group(
            "Clusters" if is_hierarchical else "Learners",
            project["rounds"],
            _expected(actors, role),
            actors,
            lost,
            fetched,
        )
    ]
    for cluster in sorted({one["cluster"] for one in project["cluster_rounds"]}):
        rounds = [one for one in project["cluster_rounds"] if one["cluster"] == cluster]
        members = [one for one in _expected(actors, "learner") if actors[one]["cluster"] == cluster]
        groups.append(_group(f"Learners in {cluster}", rounds, members, actors, lost, fetched))
    return [one for one in groups if one.lanes]


def _expected(actors: dict[str, Any], role: str) -> list[str]:
    return [name for name, one in actors.items() if one["role"] == role]


def _group(
    title: str,
    rounds: Sequence[dict[str, Any]],
    expected: Iterable[str],
    actors: dict[str, Any],
    lost: dict[str, str],
    fetched: dict[str, float],
) -> Lanes:
    shown = rounds[-SHOWN:]
    names = list(
        dict.fromkeys(
            [*expected, *(learner["learner"] for one in shown for learner in one["learners"])]
        )
    )
    columns = [_column(one) for one in shown]
    lanes = [
        Lane(
            name=name,
            where=_where(actors.get(name, {})),
            cells=[column.get(name, Cell(is_absent=True)) for column in columns],
            fetched=fetched.get(name),
            note=lost.get(name, ""),
        )
        for name in names
    ]
    labels = [_label(one) for one in shown]
    has_fetched = any(one.fetched is not None for one in lanes)
    return Lanes(title, labels, lanes, len(rounds) - len(shown), has_fetched)


def _label(one: dict[str, Any]) -> str:
    return f"{one['cycle']}.{one['round']}" if "cluster" in one else str(one["round"])


def _column(one: dict[str, Any]) -> dict[str, Cell]:
    works = [
        learner["fit_seconds"] + learner["upload_seconds"] + learner["evaluate_seconds"]
        for learner in one["learners"]
        if not learner["error"] and not learner["is_surplus"]
    ]
    usual = median(works) if works else 0.0
    return {
        learner["learner"]: _cell(learner, one["seconds"], usual) for learner in one["learners"]
    }


def _cell(learner: dict[str, Any], seconds: float, usual: float) -> Cell:
    fit, evaluate = learner["fit_seconds"], learner["evaluate_seconds"]
    upload = learner["upload_seconds"]
    work = fit + upload + evaluate
    return Cell(
        fit=fit,
        upload=upload,
        evaluate=evaluate,
        wait=max(seconds - work, 0.0),
        samples=learner["samples"],
        error=learner["error"],
        is_slow=work > SLOW * usual and work - usual > NOTICEABLE_SECONDS,
        is_surplus=learner["is_surplus"],
    )


def _where(actor: dict[str, Any]) -> str:
    return "/".join(part for part in (actor.get("cluster"), actor.get("node")) if part)


def _fetch_seconds(events: Sequence[dict[str, Any]]) -> dict[str, float]:
    started: dict[str, str] = {}
    fetched: dict[str, float] = {}
    for one in events:
        name = one["actor"]["instance"]
        if one["kind"] == "started":
            started[name] = one["at"]
        elif one["kind"] == "data_loaded" and name in started:
            fetched[name] = (moment(one["at"]) - moment(started[name])).total_seconds()
    return fetched

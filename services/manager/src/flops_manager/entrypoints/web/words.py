"""How pages write numbers, times and stages; the filters of the templates."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

STAGES: Final = {
    "submitted": "Submitted",
    "building_actors": "Building actors",
    "training": "Training",
    "building_model": "Building model",
    "serving": "Starting model",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "providing": "Providing",
}
UNKNOWN: Final = "\N{EN DASH}"
TONES: Final = {
    "completed": "good",
    "failed": "bad",
    "cancelled": "muted",
    "submitted": "muted",
}


def stage(word: str) -> str:
    """Return the name of a stage."""
    return STAGES.get(word, word.replace("_", " ").capitalize())


def tone(word: str) -> str:
    """Return the class of a stage's badge."""
    return TONES.get(word, "busy")


def since(at: datetime, now: datetime | None = None) -> str:
    """Return how long ago ``at`` is, as '5 min ago'."""
    passed = ((now or datetime.now(UTC)) - at).total_seconds()
    return "just now" if passed < 5 else f"{span(passed)} ago"


def span(seconds: float | None) -> str:
    """Return a length of time in at most two units: '2.6 s', '3 min 20 s', '2 d 4 h'."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for unit, size, lesser, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    rest = whole % 60
    return f"{whole // 60} min" + (f" {rest} s" if rest and whole < 600 else "")


def metric(value: float | None) -> str:
    """Return a loss or an accuracy with three digits."""
    if value is None:
        return UNKNOWN
    return f"{value:.3f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


def size(count: float | None) -> str:
    """Return bytes in the unit that reads best."""
    if count is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(value: float | None) -> str:
    """Return a count with a thin space between thousands."""
    return UNKNOWN if value is None else f"{value:,.0f}".replace(",", "\u202f")


def repository(url: str) -> str:
    """Return the part of a git URL that tells it from others."""
    path = url.rstrip("/").removesuffix(".git").split("://")[-1]
    return "/".join(path.split("/")[-2:])


def dom_id(name: str) -> str:
    """Return a field's path as an id that selectors can name."""
    return name.replace(".", "-")


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "stage": stage,
    "tone": tone,
    "since": since,
    "span": span,
    "metric": metric,
    "size": size,
    "number": number,
    "repository": repository,
    "dom_id": dom_id,
}

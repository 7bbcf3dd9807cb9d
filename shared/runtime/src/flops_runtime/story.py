"""One event as one short line, for logs and terminals.

Short, because the orchestrator shows only the last 1024 bytes of a log.
"""

from collections.abc import Callable
from datetime import UTC
from typing import Any, Final

from flops_contracts.events import Event, Kind
from flops_contracts.roles import Role

LONGEST_LINE: Final = 160


def line_of(event: Event) -> str | None:
    """Return ``event`` as a line of the story with time and role; None if there is no news."""
    news = tell(event)
    if not news:
        return None
    return _short(f"{event.at.astimezone(UTC):%H:%M:%SZ} {event.actor.role}: {news}")


def tell(event: Event) -> str:
    """Return what ``event`` says in a few words; empty where there is nothing to tell."""
    teller = _TELLERS.get(event.kind)
    return _short(_whose(event) + teller(event.payload)) if teller else ""


def _whose(event: Event) -> str:
    """Return which cluster and cycle a cluster's aggregator speaks of; empty for all others."""
    if event.actor.role is not Role.CLUSTER_AGGREGATOR or not event.actor.cluster:
        return ""
    cycle = getattr(event.payload, "cycle", None)
    return f"{event.actor.cluster}, cycle {cycle}: " if cycle else f"{event.actor.cluster}: "


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..."


def _number(name: str, value: float | None) -> str:
    return "" if value is None else f", {name} {value:.4f}"


def _tell_progress(progress: Any) -> str:
    if progress.total is None:
        return str(progress.message)
    return f"{progress.message} {progress.done:g}/{progress.total:g} {progress.unit}"


def _tell_failure(failure: Any) -> str:
    is_named = not failure.where or failure.where in failure.reason
    where = "" if is_named else f" at {failure.where}"
    hint = f". {failure.hint}" if failure.hint else ""
    return f"FAILED{where}: {failure.reason.rstrip('.')}{hint}"


def _tell_round(round_: Any) -> str:
    metrics = _number("accuracy", round_.accuracy) + _number("loss", round_.loss)
    return f"{_counted(round_)} took {round_.seconds:.1f} s{metrics}"


def _counted(round_: Any) -> str:
    return f"{'cycle' if round_.is_cycle else 'round'} {round_.round}/{round_.rounds}"


def _tell_trained(trained: Any) -> str:
    metrics = _number("accuracy", trained.accuracy)
    return f"trained; best round {trained.best_round}{metrics}, model {trained.model_name}"


def _tell_stage(change: Any) -> str:
    reason = f": {change.reason}" if change.reason else ""
    return f"{change.previous or 'new'} -> {change.stage}{reason}"


def _tell_joined(presence: Any) -> str:
    return f"learner {presence.learner} joined ({presence.present}/{presence.expected})"


def _tell_left(presence: Any) -> str:
    reason = f": {presence.reason}" if presence.reason else ""
    return f"learner {presence.learner} left, {presence.present} remain{reason}"


def _tell_finished(done: Any) -> str:
    rounds = "1 round" if done.rounds == 1 else f"{done.rounds} rounds"
    return f"finished {rounds} on {done.samples} samples"


def _tell_images(built: Any) -> str:
    return f"images {'reused' if built.reused else 'built'} for commit {built.commit[:12]}"


_TELLERS: Final[dict[Kind, Callable[[Any], str]]] = {
    Kind.STARTED: lambda _: "started",
    Kind.PROGRESS: _tell_progress,
    Kind.NOTICE: lambda notice: f"notice: {notice.message}",
    Kind.FAILED: _tell_failure,
    Kind.ACTORS_BUILT: _tell_images,
    Kind.MODEL_BUILT: lambda built: f"model image {built.image}",
    Kind.DATA_LOADED: lambda loaded: f"loaded {loaded.rows} rows",
    Kind.LEARNER_JOINED: _tell_joined,
    Kind.LEARNER_LEFT: _tell_left,
    Kind.ROUND_STARTED: lambda round_: f"{_counted(round_)} begins",
    Kind.ROUND_COMPLETED: _tell_round,
    Kind.TRAINED: _tell_trained,
    Kind.FINISHED: _tell_finished,
    Kind.MODEL_SERVING: lambda serving: f"the model answers on port {serving.port}",
    Kind.DATA_PROVIDED: lambda data: f"{len(data.fragments)} fragments of {data.data_tag}",
    Kind.STAGE_CHANGED: _tell_stage,
}
"""The sentence of each kind; heartbeats and acknowledgements have none."""

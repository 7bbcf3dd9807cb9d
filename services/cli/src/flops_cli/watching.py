"""Following a project on the screen: its stages, rounds and long steps."""

import threading
from collections.abc import Callable

from flops_cli.client import FlopsClient
from flops_cli.errors import ProjectCancelledError, ProjectFailedError
from flops_cli.results import Mock, Project
from flops_cli.screen import Screen
from flops_cli.times import clock
from flops_contracts.api.answers import ProjectError
from flops_contracts.events import Event, Kind, Progress
from flops_contracts.roles import MockStage, Role, Stage
from flops_runtime.story import tell

LOOK_AGAIN_SECONDS = 0.5
ROUNDS = "rounds"
WAITING = "waiting"
MOCK = "mock"

_STYLES = {
    Kind.STAGE_CHANGED: "bold cyan",
    Kind.FAILED: "bold red",
    Kind.NOTICE: "yellow",
    Kind.ROUND_COMPLETED: "green",
    Kind.TRAINED: "bold green",
    Kind.MODEL_SERVING: "bold green",
}


class Watcher:
    """Shows events as they arrive."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def take(self, event: Event) -> None:
        """Show an event: progress as a bar, news as a line, heartbeats not at all."""
        match event.kind:
            case Kind.PROGRESS:
                self._show_progress(event)
                return
            case Kind.ROUND_STARTED:
                self._show_round(event, event.payload.round - 1)
                return
            case Kind.ROUND_COMPLETED:
                self._show_round(event, event.payload.round)
            case Kind.STAGE_CHANGED:
                self._screen.drop_bars()
            case _:
                self._screen.drop_bars(event.actor.instance)
        news = tell(event)
        if news:
            line = f"{clock(event.at)} {event.actor.role:<18} {news}"
            self._screen.say(line, _STYLES.get(event.kind, ""))

    def _show_round(self, event: Event, done: int) -> None:
        """Show a bar for the project's aggregator, and another for each cluster's."""
        round_, actor = event.payload, event.actor
        name = f"{'cycle' if round_.is_cycle else 'round'} {round_.round}"
        if actor.role is Role.CLUSTER_AGGREGATOR:
            where = f"{actor.cluster}, cycle {round_.cycle}: {name}"
            self._screen.bar(f"{ROUNDS} {actor.cluster}", where, done, round_.rounds)
            return
        self._screen.bar(ROUNDS, name, done, round_.rounds)

    def _show_progress(self, event: Event) -> None:
        progress = event.payload
        text = f"{event.actor.role}: {progress.message}"
        self._screen.bar(event.actor.instance, text, progress.done, progress.total)


def watch_project(client: FlopsClient, project_id: str, screen: Screen, after: int = 0) -> Project:
    """Follow a project until its final stage, and return it, failed or not."""
    _wait_for_room(client, project_id, screen)
    watcher = Watcher(screen)
    for numbered in client.follow(project_id, after):
        watcher.take(numbered.event)
    screen.drop_bars()
    return client.project(project_id)


def _wait_for_room(client: FlopsClient, project_id: str, screen: Screen) -> None:
    """Show what a project waits for before it begins; that is a state, which no event reports."""
    clock = threading.Event()
    while (project := client.project(project_id)).stage is Stage.SUBMITTED:
        if project.waiting:
            screen.bar(WAITING, project.waiting)
        clock.wait(LOOK_AGAIN_SECONDS)
    screen.drop_bars(WAITING)


def watch_mock(
    client: FlopsClient, mock_id: str, screen: Screen, pause: Callable[[], object]
) -> Mock:
    """Follow a mock until its data are provided; raise ``ProjectFailedError`` if it fails."""
    while True:
        mock = client.mock(mock_id)
        if mock.stage is MockStage.COMPLETED:
            screen.drop_bars(MOCK)
            return mock
        if mock.is_over:
            raise failure_error(f"mock {mock_id}", mock.failure)
        progress = mock.progress or Progress(mock.stage)
        screen.bar(MOCK, f"mock data: {progress.message}", progress.done, progress.total)
        pause()


def require_success(project: Project) -> None:
    """Raise ``ProjectFailedError`` or ``ProjectCancelledError`` unless the project completed."""
    if project.stage is Stage.CANCELLED:
        raise ProjectCancelledError(f"project {project.id} was cancelled")
    if project.stage is Stage.FAILED:
        raise failure_error(f"project {project.id}", project.failure)


def failure_error(subject: str, failure: ProjectError | None) -> ProjectFailedError:
    """Return an error that says why ``subject`` failed, where, and what to do."""
    if failure is None:
        return ProjectFailedError(f"{subject} failed; the manager gives no reason")
    is_named = not failure.where or failure.where in failure.reason
    where = "" if is_named else f" ({failure.where})"
    origin = f" in {failure.origin}" if failure.origin else ""
    return ProjectFailedError(
        f"{subject} failed{origin}: {failure.reason}{where}", failure.hint, failure.last_lines
    )

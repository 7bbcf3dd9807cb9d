"""Letting projects in, in the order of their submission, while there is room."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from flops_contracts.sla import ProjectSla
from flops_manager.domain.deadlines import Limits
from flops_manager.domain.errors import (
    NoRoomError,
    NotYetError,
    SubjectNotFoundError,
    TooManyProjectsError,
    UnreadableRecordError,
)
from flops_manager.domain.nodes import Landscape
from flops_manager.domain.placement import place_project
from flops_manager.domain.projects import Project
from flops_manager.domain.queue import ahead_of, running_beside, without_reserved
from flops_manager.domain.subjects import Placement
from flops_manager.ports.stores import ProjectStore
from flops_manager.usecases.survey import Survey

LOOK_AGAIN_SECONDS: Final = 3.0
"""How often the first project in the queue checks whether there is room."""


class Queue:
    """Places projects in the order of submission, without overtaking.

    A small project may wait behind a large one, but so the large one does not wait for ever.
    """

    def __init__(self, store: ProjectStore, survey: Survey, limits: Limits) -> None:
        self._store = store
        self._survey = survey
        self._limits = limits

    def admit(self, sla: ProjectSla) -> None:
        """Raise ``TooManyProjectsError`` if the customer may not have one more."""
        most = self._limits.projects_per_customer
        if not most:
            return
        mine = [brief.customer_id for brief in self._store.unfinished()].count(sla.customer_id)
        if mine >= most:
            raise TooManyProjectsError(
                f"{sla.customer_id} has {mine} unfinished projects, and may have {most}.",
                hint="Wait until one has ended, or cancel one.",
            )

    def place(self, project: Project) -> tuple[Landscape, tuple[Placement, ...]]:
        """Return the nodes as they were read, and the placements.

        Raises ``NotYetError`` with its position while others are before it or use up the room,
        and ``NotPlaceableError`` if waiting would not help.
        """
        unfinished = self._store.unfinished()
        ahead = len(self._without_stuck(ahead_of(project, unfinished)))
        others = running_beside(project, unfinished)
        most = self._limits.running_projects
        if ahead:
            raise self._wait(ahead, "Other projects were submitted before.", _rest(ahead))
        if most and len(others) >= most:
            why = f"The limit of {most} running projects is reached."
            raise self._wait(ahead, why, _rest(ahead))
        seen = self._survey.look()
        landscape = without_reserved(seen, self._get(others))
        try:
            return landscape, place_project(project.sla, landscape)
        except NoRoomError as error:
            if not others:
                # Nothing is going to end and make room.
                raise
            _require_room_when_empty(project.sla, seen)
            raise self._wait(ahead, error.reason, LOOK_AGAIN_SECONDS) from error

    def _wait(self, ahead: int, why: str, rest_seconds: float) -> NotYetError:
        most = self._limits.queue_seconds
        return NotYetError(
            f"Waiting for room at position {ahead + 1} of the queue, at most {most:.0f} s: {why}",
            rest_seconds=rest_seconds,
        )

    def _without_stuck(self, ids: Sequence[str]) -> Sequence[str]:
        """Skip unreadable projects at the front: they would block the queue for ever."""
        first = next((i for i, each in enumerate(ids) if self._get([each])), len(ids))
        return ids[first:]

    def _get(self, ids: Sequence[str]) -> list[Project]:
        projects = []
        for project_id in ids:
            with suppress(SubjectNotFoundError, UnreadableRecordError):
                projects.append(self._store.get(project_id).subject)
        return projects


def _require_room_when_empty(sla: ProjectSla, landscape: Landscape) -> None:
    """Raise ``NoRoomError`` for a project that fits on no node even when nothing else runs."""
    try:
        place_project(sla, landscape.emptied())
    except NoRoomError as error:
        raise NoRoomError(
            f"{error.reason} This is what the nodes have when nothing runs there.", error.hint
        ) from error


def _rest(ahead: int) -> float:
    """Return how long to rest; that others are before it, only the database has to say."""
    return min(0.2 * (ahead + 1), 5.0)

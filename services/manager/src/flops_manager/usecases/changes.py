"""Changes stored projects and mocks while others change them too."""

from collections.abc import Callable
from typing import Final, TypeVar

from flops_manager.domain.commands import Command
from flops_manager.domain.errors import StaleProjectError
from flops_manager.ports.stores import Pending, Record, Records

T = TypeVar("T")

ATTEMPTS: Final = 50
"""More concurrent writers than one project ever has."""

Step = Callable[[T], tuple[T, tuple[Command, ...]]]
"""Turns the stored state into the new one, and returns the commands that follow."""


def change(
    store: Records[T],
    subject_id: str,
    step: Step[T],
    *,
    done: Pending | None = None,
    loaded: Record[T] | None = None,
) -> T:
    """Apply ``step`` to what is stored, in one write with its commands; return the result.

    ``done`` is the command that caused it; it leaves the outbox in the same write. ``loaded`` is
    what the caller has just read. What ``step`` raises is passed on, with nothing written.
    """
    for _ in range(ATTEMPTS):
        record = loaded or store.get(subject_id)
        subject, commands = step(record.subject)
        todo = record.todo[1:] if done and record.todo[:1] == (done,) else record.todo
        changed = Record(subject, record.version, (*todo, *map(Pending, commands)))
        if changed == record:
            return subject
        try:
            store.save(changed)
        except StaleProjectError:
            loaded = None
            continue
        return subject
    raise StaleProjectError(f"{subject_id} changed {ATTEMPTS} times while being changed.")


def unchanged(subject: T) -> tuple[T, tuple[Command, ...]]:
    """Change nothing: a step."""
    return subject, ()

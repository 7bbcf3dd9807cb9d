"""The suite that runs on a state folder, recorded in a file so that other terminals can end it."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from flops_cli.errors import LocalSuiteError
from flops_cli.local.network import Network
from flops_cli.local.processes import start_time, wait_for

FILE: Final = "running.json"
STOP_SECONDS: Final = 90.0


@dataclass(frozen=True)
class Running:
    """The process of a suite; ``started`` distinguishes it from a later one with the same id."""

    pid: int
    started: str
    network: str
    is_ready: bool = False

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        return start_time(self.pid) == self.started

    @property
    def api_url(self) -> str:
        """The address of its manager."""
        return Network(self.network).api_url


def suite_in(state: Path) -> Running | None:
    """Return the suite that runs on this state folder."""
    try:
        running = Running(**json.loads((state / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return running if running.is_alive else None


def suites_in(home: Path) -> dict[Path, Running]:
    """Return every suite that runs below a home folder, by its state folder."""
    states = (file.parent for file in sorted(home.glob(f"*/{FILE}")))
    return {state: running for state in states if (running := suite_in(state))}


def require_none(state: Path) -> None:
    """Raise ``LocalSuiteError`` if a suite runs on this state folder."""
    running = suite_in(state)
    if running:
        raise LocalSuiteError(
            f"a suite is already running, with its manager at {running.api_url}",
            hint="`flops local down` ends it.",
        )


@contextmanager
def announced(state: Path, network: Network) -> Iterator[Running]:
    """Record this process as the suite of a state folder for the duration of the block."""
    mine = Running(os.getpid(), start_time(os.getpid()) or "", network.prefix)
    _write(state, mine)
    try:
        yield mine
    finally:
        (state / FILE).unlink(missing_ok=True)


def announce_ready(state: Path, mine: Running) -> None:
    """Record that the suite is ready."""
    _write(state, replace(mine, is_ready=True))


def end(running: Running) -> None:
    """Stop a suite and wait for its end; raise ``LocalSuiteError`` if it does not end."""
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(running.pid, signal.SIGTERM)
    wait_for(
        lambda: not running.is_alive,
        STOP_SECONDS,
        f"process {running.pid} does not end",
    )


def _write(state: Path, running: Running) -> None:
    state.mkdir(parents=True, exist_ok=True)
    new = state / f"{FILE}.new"
    new.write_text(json.dumps(asdict(running)), encoding="utf-8")
    new.replace(state / FILE)

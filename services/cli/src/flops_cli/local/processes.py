"""Child processes that never outlive this one; each leads a session of its own."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from flops_cli.errors import LocalSuiteError
from flops_runtime.logs import readable

PR_SET_CHILD_SUBREAPER = 36
TETHER = Path(__file__).with_name("tether.py")
STOP_SECONDS = 15.0
SHOWN_LINES = 20


class Child:
    """A process whose output is appended to ``log``."""

    def __init__(self, name: str, argv: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; raise ``LocalSuiteError`` if the program does not exist."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        tether = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid())]
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*tether, *self._argv],
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise LocalSuiteError(f"cannot start {self.name}: {error}") from error

    @property
    def pid(self) -> int | None:
        """Its process id, once it was started."""
        return self._process.pid if self._process else None

    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def wait(self, timeout_seconds: float) -> int:
        """Return the exit code; raise ``LocalSuiteError`` if it takes longer than that."""
        assert self._process is not None  # noqa: S101 - a bug of the caller
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise LocalSuiteError(
                f"{self.name} took longer than {timeout_seconds:.0f} s"
            ) from error

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process alone, not to its children."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Stop it and its session, by force after the timeout; safe to call twice."""
        if self._process is None:
            return
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_seconds)
        _kill_group(self._process.pid)
        self._process.wait()

    def last_lines(self, count: int = SHOWN_LINES) -> tuple[str, ...]:
        """Return the end of its log."""
        try:
            with self.log.open(encoding="utf-8", errors="replace") as file:
                return tuple(readable(line.rstrip()) for line in deque(file, maxlen=count))
        except FileNotFoundError:
            return ()


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # the group has ended
        os.killpg(leader, signal.SIGKILL)


def adopt_orphans() -> None:
    """Make this process the parent of each descendant whose own parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int | None = None) -> tuple[int, ...]:
    """Return the ids of all processes below ``pid`` (default: this one) that are not zombies."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            stat = _stat(folder)
            if stat:
                parents[int(folder.name)] = int(stat[1])
    root = {pid or os.getpid()}
    below: set[int] = set()
    while (
        children := {child for child, parent in parents.items() if parent in root | below} - below
    ):
        below |= children
    return tuple(sorted(below - root))


def start_time(pid: int) -> str | None:
    """Return when a process was started, in the kernel's clock ticks; None if it has ended."""
    stat = _stat(Path("/proc", str(pid)))
    return stat[19] if stat else None


def _stat(folder: Path) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on; None for a zombie."""
    try:
        # The name, in parentheses, may contain anything, so split after it.
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if not stat or stat[0] == "Z" else stat


def end_descendants() -> int:
    """Kill the remaining descendants of this process; return how many there were."""
    left = descendants()
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)


STOPPED: Final = "Everything that was started on this machine is stopped."


class InterruptedByUserError(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal; its text says what was stopped and what goes on."""


def interrupt_on_signals() -> None:
    """Turn the first SIGINT, SIGTERM or SIGHUP into ``InterruptedByUserError``.

    Later signals are ignored, so that nothing disturbs the cleanup, which is bounded.
    """
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: object) -> None:
        for number in watched:
            signal.signal(number, signal.SIG_IGN)
        raise InterruptedByUserError(STOPPED)

    for number in watched:
        signal.signal(number, interrupt)


def wait_for(
    condition: Callable[[], bool],
    timeout_seconds: float,
    what: str,
    children: Iterable[Child] = (),
) -> None:
    """Wait for ``condition``; raise ``LocalSuiteError`` on timeout or if a child has ended."""
    watched = tuple(children)
    pause = threading.Event()
    end = time.monotonic() + timeout_seconds
    while not condition():
        require_alive(watched)
        if time.monotonic() > end:
            lines = [line for child in watched for line in child.last_lines(8)]
            raise LocalSuiteError(f"{what}: not within {timeout_seconds:.0f} s", errors=lines)
        pause.wait(0.1)


def require_alive(children: Iterable[Child]) -> None:
    """Raise ``LocalSuiteError`` with the last log lines of the first child that has ended."""
    for child in children:
        code = child.exit_code()
        if code is not None:
            raise LocalSuiteError(
                f"{child.name} ended unexpectedly (exit code {code})",
                hint=f"Its log: {child.log}",
                errors=child.last_lines(),
            )

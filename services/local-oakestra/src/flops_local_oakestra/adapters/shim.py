"""The process between local-oakestra and an instance, like containerd's shim.

It runs as a script (``python -I -S shim.py LOG MAX_BYTES -- ARGV...``) with the standard library
only, and keeps three promises. All children of the instance end with it, even those in their own
session. The instance ends when local-oakestra ends, even by SIGKILL, because the control pipe on
standard input closes. Its log never grows beyond a bound.

Lines on standard output: ``started PID``, ``failed REASON``, ``exited CODE``. Lines on standard
input: ``stop SECONDS``.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

ORPHANED_GRACE_SECONDS = 3.0
KILL_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CHUNK = 65536


class BoundedLog:
    """A file that drops its older half before it would grow beyond ``max_bytes``."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("wb", buffering=0)
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append ``data``; on a full disk lines are lost, but the instance goes on."""
        data = data[-(self._max_bytes // 2) :]
        with contextlib.suppress(OSError):
            if self._size + len(data) > self._max_bytes:
                self._keep_newer_half()
            self._file.write(data)
            self._size += len(data)

    def _keep_newer_half(self) -> None:
        newer = self._path.read_bytes()[-(self._max_bytes // 2) :]
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_bytes(newer)
        fresh.replace(self._path)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)
        self._size = len(newer)


class Shim:
    """Runs a command and all its children."""

    def __init__(self, log: BoundedLog, argv: list[str]) -> None:
        self._log = log
        self._argv = argv
        self._selector = selectors.DefaultSelector()
        self._pid = 0
        self._exit_code: int | None = None
        self._kill_at: float | None = None
        self._control = b""

    def run(self) -> None:
        """Run the command to its end, kill what is left of it, and print its exit code."""
        wakeup = _wake_up_on_signals()
        output = self._start()
        if output is None:
            return
        self._selector.register(wakeup, selectors.EVENT_READ, self._on_signal)
        self._selector.register(0, selectors.EVENT_READ, self._on_control)
        self._selector.register(output, selectors.EVENT_READ, self._on_output)
        while self._exit_code is None:
            self._wait(self._until_kill())
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_all()
        self._kill_all()
        while self._wait(0) and output in self._selector.get_map():
            pass
        _print(f"exited {self._exit_code}")

    def _start(self) -> int | None:
        """Return the end of the pipe with the command's output, or None if it cannot start."""
        output, output_end = os.pipe()
        errors, errors_end = os.pipe()
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._pid = os.fork()
        if self._pid == 0:
            _become(self._argv, output_end, errors_end, prctl)
        os.close(output_end)
        os.close(errors_end)
        with os.fdopen(errors, "rb") as file:
            reason = file.read().decode(errors="replace")
        if reason:
            os.waitpid(self._pid, 0)
            self._log.write(f"{reason}\n".encode())
            _print(f"failed {reason}")
            return None
        _print(f"started {self._pid}")
        os.set_blocking(output, False)
        return output

    def _wait(self, timeout: float | None) -> bool:
        """Handle the events of at most ``timeout`` seconds; return whether there were any."""
        events = self._selector.select(timeout)
        for key, _ in events:
            key.data(key.fd)
        return bool(events)

    def _until_kill(self) -> float | None:
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())

    def _on_output(self, fd: int) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._log.write(data)
        else:
            self._selector.unregister(fd)

    def _on_control(self, fd: int) -> None:
        data = os.read(fd, _CHUNK)
        if not data:
            # local-oakestra has ended.
            self._selector.unregister(fd)
            self._stop(ORPHANED_GRACE_SECONDS)
        *lines, self._control = (self._control + data).split(b"\n")
        for line in lines:
            self._stop(float(line.removeprefix(b"stop ")))

    def _on_signal(self, fd: int) -> None:
        numbers = os.read(fd, _CHUNK)
        self._reap()
        if signal.SIGTERM in numbers:
            self._stop(ORPHANED_GRACE_SECONDS)

    def _stop(self, grace_seconds: float) -> None:
        kill_at = time.monotonic() + grace_seconds
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
        if self._exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGTERM)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._pid:
                    code = os.waitstatus_to_exitcode(status)
                    self._exit_code = code if code >= 0 else 128 - code

    def _kill_all(self) -> None:
        """Kill all descendants; bounded in time, because a process may hang in the kernel."""
        end = time.monotonic() + KILL_SECONDS
        while (pids := descendants(os.getpid())) and time.monotonic() < end:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._wait(0.02)
            self._reap()
        self._kill_at = None
        if self._exit_code is None:
            self._exit_code = 128 + signal.SIGKILL


def descendants(ancestor: int) -> list[int]:
    """Return all processes below ``ancestor``, zombies included."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                # The name in the second field may contain spaces and parentheses.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    below: list[int] = []
    todo = [ancestor]
    while todo:
        pids = children.get(todo.pop(), [])
        below += pids
        todo += pids
    return below


def _become(argv: list[str], output: int, errors: int, prctl: Any) -> None:
    """Turn the forked child into the command; never returns."""
    try:
        os.setsid()
        # If the shim itself is killed, at least the command ends with it.
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(argv[0], argv)  # noqa: S606 - on purpose without a shell
    except OSError as error:
        os.write(errors, f"cannot run {argv[0]}: {error.strerror}".encode())
    finally:
        os._exit(127)


def _wake_up_on_signals() -> int:
    """Return a descriptor from which the numbers of arriving signals can be read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    # Ctrl-C is handled by local-oakestra, which stops its instances in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return reader


def _print(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())


def main() -> None:
    """Run the command after ``--``."""
    log = BoundedLog(Path(sys.argv[1]), int(sys.argv[2]))
    Shim(log, sys.argv[4:]).run()


if __name__ == "__main__":
    main()

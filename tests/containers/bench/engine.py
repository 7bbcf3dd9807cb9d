"""A docker engine of the bench's own: its data, socket and pid lie in the bench's folder."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from containers.bench.shell import BenchError, run, say, succeeds

START_SECONDS = 60


def await_(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Wait until ``condition`` holds; raise ``BenchError`` when it does not in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"{what} is not there after {seconds:g} s")
        pause.wait(0.2)


class Engine:
    """dockerd in ``folder``; ``plugins`` is the configuration folder with compose and buildx."""

    def __init__(self, folder: Path, plugins: Path) -> None:
        self._folder = folder
        self.socket = f"unix://{folder}/docker.sock"
        self.environment = {
            "DOCKER_HOST": self.socket,
            "DOCKER_CONFIG": str(plugins),
            "DOCKER_BUILDKIT": "1",
        }

    @property
    def _pid_file(self) -> Path:
        return self._folder / "dockerd.pid"

    def docker(self, *words: str | Path, seconds: float = 120) -> str:
        """Return what docker prints."""
        return run(["docker", *words], seconds=seconds, env=self.environment)

    def has(self, reference: str) -> bool:
        """Return whether an image is there."""
        return self.succeeds("image", "inspect", reference)

    def succeeds(self, *words: str, seconds: float = 30) -> bool:
        """Return whether docker ends with 0."""
        return succeeds(["docker", *words], seconds=seconds, env=self.environment)

    def start(self) -> None:
        """Start it unless it runs."""
        if self.succeeds("info"):
            return
        say("starting dockerd")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._pid_file.unlink(missing_ok=True)
        argv: Sequence[str | Path] = (
            *("dockerd", "--host", self.socket, "--pidfile", self._pid_file),
            *("--data-root", self._folder / "data", "--exec-root", self._folder / "exec"),
        )
        with (self._folder / "dockerd.log").open("ab") as log:
            subprocess.Popen(
                [str(word) for word in argv],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        await_("dockerd", lambda: self.succeeds("info"), START_SECONDS)

    def stop(self) -> None:
        """Stop it by the pid that it wrote; its images stay for the next time, if still named."""
        if not self._pid_file.exists():
            return
        self.docker("image", "prune", "--force", seconds=300)
        self.docker("builder", "prune", "--force", "--keep-storage", "6gb", seconds=300)
        say("stopping dockerd")
        os.kill(int(self._pid_file.read_text()), signal.SIGTERM)
        await_("the end of dockerd", lambda: not self._pid_file.exists(), START_SECONDS)

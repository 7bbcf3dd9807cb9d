"""The management suite in compose, on the bench's engine, at the address of its bridge."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from containers.bench.engine import Engine
from containers.bench.shell import run, timed

ROOT: Final = Path(__file__).resolve().parents[3]
LOCAL: Final = ROOT / "compose" / "local.yml"
PARTS: Final = ROOT / "tests" / "containers" / "parts.yml"
PROJECT: Final = "flops-test"
UP_SECONDS: Final = 240


@dataclass(frozen=True)
class Suite:
    """One project of compose; ``files`` are laid over each other."""

    engine: Engine
    env_file: Path
    files: tuple[Path, ...]

    def write_environment(self, address: str, **more: str) -> None:
        """Write new random passwords, and that only containers of this machine may come."""
        self.env_file.unlink(missing_ok=True)
        writer = [sys.executable, ROOT / "compose" / "make_env.py", "--local"]
        run([*writer, "--file", self.env_file, "--address", address], env=self.engine.environment)
        with self.env_file.open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in more.items())

    def value(self, name: str) -> str:
        """Return one of the values that were written."""
        lines = self.env_file.read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))

    def compose(self, *words: str, seconds: float = 60) -> str:
        """Return what compose prints."""
        files = [word for file in self.files for word in ("--file", file)]
        which = ["--project-name", PROJECT, "--env-file", self.env_file, *files]
        return self.engine.docker("compose", *which, *words, seconds=seconds)

    def up(self) -> None:
        """Bring it up and wait until all of it is healthy."""
        wait = ["--wait", "--wait-timeout", str(UP_SECONDS)]
        with timed("bringing the suite up"):
            self.compose("up", "--detach", "--no-build", *wait, seconds=UP_SECONDS + 60)

    def down(self) -> None:
        """Take it down, volumes too; that of the data server belongs to no suite."""
        with timed("taking the suite down"):
            self.compose("down", "--volumes", seconds=180)

    def states(self) -> dict[str, str]:
        """Return the health of every service."""
        rows = self.compose("ps", "--all", "--format", "json").splitlines()
        return {row["Service"]: row["Health"] for row in map(json.loads, rows)}

    def inside(self, service: str, *argv: str) -> str:
        """Return what a program prints inside a running service."""
        return self.compose("exec", "--no-TTY", service, *argv)

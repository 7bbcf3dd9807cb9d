"""The folders of the embedded suite's state and of the sources."""

from dataclasses import dataclass
from pathlib import Path

from flops_cli.errors import LocalSuiteError


@dataclass(frozen=True)
class Places:
    """``repository`` is the checkout, ``home`` the state folder (``.flops`` in the checkout)."""

    repository: Path
    home: Path

    @property
    def environments(self) -> Path:
        """The folder of the services' virtual environments, whose scripts name its real path."""
        return (self.home / "envs").resolve()

    @property
    def images(self) -> Path:
        """The local image store."""
        return self.home / "images"

    @property
    def datasets(self) -> Path:
        """Datasets that ship with Python packages, installed without their dependencies."""
        return self.home / "datasets"

    def service(self, name: str) -> Path:
        """Return the source folder of a service."""
        return self.repository / "services" / name

    def environment(self, name: str) -> Path:
        """Return the virtual environment of a service."""
        return self.environments / name

    def python(self, name: str) -> Path:
        """Return the interpreter of a service's environment."""
        return self.environment(name) / "bin" / "python"


def find_places(repository: Path | None, home: Path | None, start: Path) -> Places:
    """Return the places; without ``repository``, look for the checkout that holds ``start``.

    Raises ``LocalSuiteError`` if there is none.
    """
    candidates = (repository,) if repository else (Path(__file__).resolve(), start.resolve())
    for candidate in candidates:
        for folder in (candidate, *candidate.parents):
            if (folder / "services" / "cli" / "pyproject.toml").is_file():
                return Places(folder, home or folder / ".flops")
    raise LocalSuiteError(
        "the embedded suite needs a checkout of FLOps, and this folder is not in one",
        hint="Run flops inside the checkout, or set FLOPS_REPOSITORY to its path.",
    )

"""The choice of the Python for a repository's actors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from flops_image_builder.domain.errors import PythonMissingError

SUPPORTED_MINORS: Final = (11, 12, 13)
"""Flower needs 3.11; many pinned packages have no wheels for versions after 3.13."""


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine with its executable, or one in an image for ``platform``."""

    version: str
    executable: str
    platform: str = ""

    @property
    def minor(self) -> str:
        """The version that wheels are made for, such as 3.11."""
        return ".".join(self.version.split(".")[:2])


def preferred_minors(requested: str, own_minor: int) -> tuple[int, ...]:
    """Return the supported minor versions, best first, for a repository's request.

    ``requested`` is a version specifier or empty; ``own_minor`` is the builder's own, which
    certainly exists.
    """
    allowed = [minor for minor in range(30) if requested and _allows(requested, minor)]
    targets = allowed or [own_minor]

    def rank(minor: int) -> tuple[int, bool, int]:
        return min(abs(minor - target) for target in targets), minor != own_minor, minor

    return tuple(sorted(SUPPORTED_MINORS, key=rank))


def choose_python(
    requested: str, own_minor: int, find: Callable[[int], Interpreter | None]
) -> tuple[Interpreter, str]:
    """Return the interpreter to build for, and a notice if it is not the requested one."""
    for minor in preferred_minors(requested, own_minor):
        python = find(minor)
        if python:
            return python, _notice(requested, python)
    raise PythonMissingError(
        "no Python between 3.11 and 3.13 was found on this machine",
        hint="Install one, or set FLOPS_PYTHON of the image-builder to its path.",
    )


def _notice(requested: str, python: Interpreter) -> str:
    if not requested or _allows(requested, int(python.version.split(".")[1])):
        return ""
    return (
        f"the repository asks for Python {requested.removeprefix('==')}; its actors run on "
        f"{python.version}, the nearest supported version here (3.11 to 3.13)"
    )


def _allows(requested: str, minor: int) -> bool:
    """Return whether some 3.<minor>.x satisfies ``requested``."""
    try:
        specifiers = SpecifierSet(requested)
        named = [Version(part.version.removesuffix(".*")) for part in specifiers]
    except ValueError:
        return False
    patches = {0, 30, *(version.micro for version in named if version.minor == minor)}
    return any(specifiers.contains(f"3.{minor}.{patch}") for patch in patches)

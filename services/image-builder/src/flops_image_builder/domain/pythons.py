"""Which Python a repository's actors run on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from flops_image_builder.domain.errors import PythonMissingError

SUPPORTED_MINORS: Final = (11, 12, 13)
"""Flower needs 3.11; beyond 3.13 too many pinned packages have no wheels."""


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine, with its executable, or one in an image for ``platform``."""

    version: str
    executable: str
    platform: str = ""

    @property
    def minor(self) -> str:
        """The version that wheels are made for, such as 3.11."""
        return ".".join(self.version.split(".")[:2])


def preferred_minors(asked: str, own_minor: int) -> tuple[int, ...]:
    """Return the supported minor versions, best first, for what a repository asks for.

    ``asked`` is a version specifier or empty; ``own_minor`` is the builder's own, which is
    certainly there.
    """
    wanted = [minor for minor in range(30) if _allows(asked, minor)] if asked else [own_minor]
    nearest = wanted or [own_minor]

    def rank(minor: int) -> tuple[int, bool, int]:
        return min(abs(minor - other) for other in nearest), minor != own_minor, minor

    return tuple(sorted(SUPPORTED_MINORS, key=rank))


def choose_python(
    asked: str, own_minor: int, find: Callable[[int], Interpreter | None]
) -> tuple[Interpreter, str]:
    """Return the interpreter to build for, and a notice if it is not what was asked for."""
    for minor in preferred_minors(asked, own_minor):
        found = find(minor)
        if found:
            return found, _notice(asked, found)
    raise PythonMissingError(
        "no Python between 3.11 and 3.13 was found on this machine",
        hint="Install one, or set FLOPS_PYTHON of the image-builder to its path.",
    )


def _notice(asked: str, found: Interpreter) -> str:
    if not asked or _allows(asked, int(found.version.split(".")[1])):
        return ""
    return (
        f"the repository asks for Python {asked.removeprefix('==')}; its actors run on "
        f"{found.version}, the nearest supported version here (3.11 to 3.13)"
    )


def _allows(asked: str, minor: int) -> bool:
    """Say whether some 3.<minor>.x satisfies ``asked``; patch versions are not told apart."""
    try:
        specifiers = SpecifierSet(asked)
        named = [Version(part.version.removesuffix(".*")) for part in specifiers]
    except ValueError:
        return False
    patches = {0, 30, *(version.micro for version in named if version.minor == minor)}
    return any(specifiers.contains(f"3.{minor}.{patch}") for patch in patches)

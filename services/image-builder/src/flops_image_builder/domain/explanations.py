"""Turns the resolver's messages into reasons that users can act on.

The patterns are those of uv 0.12; the integration tests check each of them against the real one.
"""

import re
from typing import Final

from packaging.utils import canonicalize_name

from flops_image_builder.domain.errors import DependenciesUnresolvableError
from flops_image_builder.domain.requirements import Dependencies

_MISSING = re.compile(r"\b(\S+) was not found in the package registry")
_NO_VERSION = re.compile(r"\bthere is no version of ([\w.-]+)(?:\[[^]]*\])?(\S*)", re.IGNORECASE)
_ONLY_OTHERS = re.compile(r"only [\w.-]+?\S* (?:is|are) available and you require ([\w.-]+)(\S*)")
_NO_WHEEL = re.compile(
    r"([\w.-]+?)(?:\[[^]]*\])?((?:==|<|>)\S+)? (?:has|have) no (?:usable )?wheels"
)
_OTHER_PYTHON = re.compile(r"(\S+?)(==\S+)? depends on (Python[<>=!]\S+)")
_UNREACHABLE = re.compile(r"(?:git\+)?(?:https?|ssh|git|file)://[^\s`'\")]+")
_CONTRADICTION = re.compile(
    r"\b(?:unsatisfiable|we can conclude|incompatible|conflict)", re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_CAUSE_LIMIT: Final = 600


def explain(
    message: str, dependencies: Dependencies, python: str, platform: str = ""
) -> DependenciesUnresolvableError:
    """Return the error for uv's message about ``dependencies`` on a ``python`` version."""
    text = _sentence(message)
    if missing := _MISSING.search(text):
        return _missing(missing[1].strip("`'"), dependencies)
    if absent := _NO_VERSION.search(text) or _ONLY_OTHERS.search(text):
        name, version = absent[1], absent[2].rstrip(",")
        return DependenciesUnresolvableError(
            f"there is no version {version.removeprefix('==')} of package '{name}'",
            hint="Choose a version that the package index has.",
            where=dependencies.where(name),
        )
    if wheelless := _NO_WHEEL.search(text):
        package = f"{wheelless[1]}{wheelless[2] or ''}"
        return DependenciesUnresolvableError(
            f"package '{package}' has no wheel for Python {python} on "
            f"{platform or 'this platform'}",
            hint="Choose a version that has one, or request a Python version that it supports."
            + (f" Or remove {platform} from supported_platforms." if platform else ""),
            where=dependencies.where(wheelless[1]),
        )
    if other := _OTHER_PYTHON.search(text):
        return DependenciesUnresolvableError(
            f"package '{other[1]}{other[2] or ''}' needs {other[3].rstrip(',')}, but the actors "
            f"run on Python {python}",
            hint="Choose a version of the package that supports it, or request another Python.",
            where=dependencies.where(other[1]),
        )
    return _otherwise(text, dependencies)


def _otherwise(text: str, dependencies: Dependencies) -> DependenciesUnresolvableError:
    """Return the error for a message that names no single package as the cause."""
    if unreachable := _UNREACHABLE.search(text):
        return DependenciesUnresolvableError(
            f"the source of a package cannot be fetched: {text[:_CAUSE_LIMIT]}",
            hint=f"Check that the image-builder can reach {unreachable[0]}, and that it exists.",
            where=_where(text, dependencies),
        )
    if _CONTRADICTION.search(text):
        return DependenciesUnresolvableError(
            f"the dependencies contradict each other: {_conflict(text)}",
            hint="Change or remove one of the version bounds.",
            where=_where(text, dependencies),
        )
    return DependenciesUnresolvableError(
        f"the dependencies cannot be resolved: {text[:_CAUSE_LIMIT]}",
        hint="Try `uv pip compile` on this file, which uses the same resolver.",
        where=_where(text, dependencies),
    )


def named_packages(message: str) -> frozenset[str]:
    """Return the canonical names of all words in ``message`` that may be packages."""
    return frozenset(canonicalize_name(word) for word in _NAME.findall(message))


def _missing(name: str, dependencies: Dependencies) -> DependenciesUnresolvableError:
    hint = "Correct its name, or remove it."
    if dependencies.file.startswith("conda."):
        hint = (
            "conda packages are taken from PyPI: list it under 'pip:' by its name there, or "
            "remove it if no Python code needs it."
        )
    return DependenciesUnresolvableError(
        f"package '{name}' does not exist on the package index",
        hint=hint,
        where=dependencies.where(name),
    )


def _sentence(message: str) -> str:
    """Return what follows "cause:" (or everything) on one line, without the hints."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    causes = " ".join(lines).split("cause:", 1)
    return re.sub(r"\s+", " ", causes[-1]).split(" hint:", 1)[0].strip()


def _conflict(text: str) -> str:
    """Shorten uv's proof to the contradicting bounds."""
    proof = re.sub(
        r",? we can conclude that your requirements are unsatisfiable\.?", "", text
    ).strip(" .")
    return proof.removeprefix("Because ")[:_CAUSE_LIMIT]


def _where(text: str, dependencies: Dependencies) -> str:
    named = named_packages(text)
    places = (line.where for line in dependencies.lines if line.name in named)
    return next(places, dependencies.file)

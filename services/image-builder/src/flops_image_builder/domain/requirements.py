"""The dependencies of a repository, read from its dependency file.

The functions here read pip's and pyproject's formats; ``conda.py`` reads conda's.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from flops_image_builder.domain.problems import Problem

OWN_PACKAGES: Final = frozenset({"mlflow", "mlflow-skinny", "flwr", "flops-utils"})
"""Packages that FLOps installs for every actor, in the version it works with."""


_HASH: Final = re.compile(r"\s--hash[= ](\S+)")
_BARE_URL: Final = re.compile(r"(?:git|hg|svn|bzr)\+\S+|https?://\S+")
_EGG: Final = re.compile(
    r"(?P<url>(?:git|hg|svn|bzr)\+[^\s#]+|https?://[^\s#]+)#egg=(?P<name>[\w.-]+)"
)


@dataclass(frozen=True)
class Line:
    """A requirement in PEP 508's form, and its place in the file.

    ``hashes`` are those that its files may have, as ``sha256:...``; none means any.
    """

    requirement: str
    where: str
    hashes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The canonical name of the package."""
        return canonicalize_name(Requirement(self.requirement).name)

    @property
    def is_pin(self) -> bool:
        """Return whether it allows exactly one version."""
        specifiers = list(Requirement(self.requirement).specifier)
        return len(specifiers) == 1 and specifiers[0].operator in {"==", "==="}


@dataclass(frozen=True)
class Dependencies:
    """The requirements of a repository; ``locked`` holds pins that only apply if needed."""

    file: str
    lines: tuple[Line, ...] = ()
    python: str = ""
    locked: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements alone, for a resolver."""
        return tuple(line.requirement for line in self.lines)

    def where(self, package: str) -> str:
        """Return the line that names ``package``, or the file."""
        name = canonicalize_name(package)
        return next((line.where for line in self.lines if line.name == name), self.file)


def without_own_packages(dependencies: Dependencies) -> Dependencies:
    """Drop the packages that FLOps provides itself, with a notice for each."""
    notices = [
        f"{line.where}: '{line.requirement}' is ignored: FLOps installs its own {line.name}"
        for line in dependencies.lines
        if line.name in OWN_PACKAGES
    ]
    return replace(
        dependencies,
        lines=tuple(line for line in dependencies.lines if line.name not in OWN_PACKAGES),
        notices=(*dependencies.notices, *notices),
    )


def from_requirements_txt(text: str, file: str = "requirements.txt") -> Dependencies:
    """Read pip's format; options are ignored with a notice, and paths are problems.

    Hashes stay with their requirement.
    """
    lines: list[Line] = []
    notices: list[str] = []
    problems: list[Problem] = []
    for number, line in _logical_lines(text):
        where = f"{file}:{number}"
        hashes, content = tuple(_HASH.findall(line)), _HASH.sub("", line).strip()
        if content.startswith(("-e", "--editable", ".", "/", "-r", "--requirement", "file:")):
            problems.append(_unsupported(where, content))
        elif content.startswith("-"):
            notices.append(
                f"{where}: '{content}' is ignored: packages come from the index that the "
                "image-builder is configured for"
            )
        else:
            _add(content, where, lines, problems, hashes)
    return Dependencies(file, tuple(lines), notices=tuple(notices), problems=tuple(problems))


def from_pyproject(text: str, lock_text: str = "", file: str = "pyproject.toml") -> Dependencies:
    """Read ``[project]``; the pins of a ``uv.lock`` beside it apply to its dependencies."""
    try:
        document = tomllib.loads(text)
        locked = pins_of_uv_lock(tomllib.loads(lock_text))
    except tomllib.TOMLDecodeError as error:
        return Dependencies(file, problems=(Problem(file, f"is not valid TOML: {error}"),))
    project = document.get("project")
    if not isinstance(project, dict):
        hint = "List them under [project] dependencies, or add a requirements.txt."
        problem = Problem(file, "has no [project] table with dependencies", hint)
        return Dependencies(file, problems=(problem,))
    if "dependencies" in project.get("dynamic", ()):
        hint = "List them under [project] dependencies, or in a requirements.txt at the root."
        problem = Problem(
            f"{file}:{line_of(text, 'dynamic')}",
            "has dynamic dependencies, which only its build tool could read",
            hint,
        )
        return Dependencies(file, problems=(problem,))
    lines: list[Line] = []
    problems: list[Problem] = []
    for requirement in project.get("dependencies", []):
        where = f"{file}:{line_of(text, str(requirement))}"
        _add(str(requirement), where, lines, problems)
    python = str(project.get("requires-python", ""))
    return Dependencies(file, tuple(lines), python, locked, problems=tuple(problems))


def pins_of_uv_lock(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``name==version`` of packages from an index that have exactly one version."""
    versions: dict[str, set[str]] = {}
    for package in document.get("package", []):
        if "registry" in package.get("source", {}) and "version" in package:
            versions.setdefault(package["name"], set()).add(package["version"])
    return tuple(f"{name}=={min(pinned)}" for name, pinned in versions.items() if len(pinned) == 1)


def line_of(text: str, content: str) -> int:
    """Return the number of the first line with ``content``, or 1."""
    numbers = (n for n, line in enumerate(text.splitlines(), 1) if content in line)
    return next(numbers, 1)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    joined = re.sub(r"\\\n", lambda _: " \x00", text)
    result: list[tuple[int, str]] = []
    number = 1
    for line in joined.split("\n"):
        content = re.sub(r"(^|\s)#.*$", "", line.replace("\x00", "")).strip()
        if content:
            result.append((number, content))
        number += 1 + line.count("\x00")
    return result


def _add(
    content: str,
    where: str,
    lines: list[Line],
    problems: list[Problem],
    hashes: tuple[str, ...] = (),
) -> None:
    try:
        requirement = Requirement(_with_name(content))
    except InvalidRequirement:
        problems.append(_unreadable(where, content))
        return
    if (requirement.url or "").startswith("file:"):
        problems.append(_local(where, content, requirement))
        return
    if canonicalize_name(requirement.name) not in {"pip", "setuptools", "wheel"}:
        lines.append(Line(str(requirement), where, hashes))


def _with_name(content: str) -> str:
    """Return a bare URL with ``#egg=NAME`` in the form NAME @ URL; others stay as they are."""
    match = _EGG.fullmatch(content)
    return f"{match['name']} @ {match['url']}" if match else content


def _unreadable(where: str, content: str) -> Problem:
    if _BARE_URL.match(content):
        hint = f"Write it with its package's name: NAME @ {content}"
        return Problem(where, f"'{content}' does not say which package it is", hint)
    return Problem(where, f"'{content}' is not a requirement that pip understands")


def _local(where: str, content: str, requirement: Requirement) -> Problem:
    """Return the problem of a path, which `pip freeze` writes in environments of conda."""
    file = urlsplit(requirement.url or "").path.rpartition("/")[2]
    try:
        version = f"=={parse_wheel_filename(file)[1]}"
    except InvalidWheelFilename:
        version = "==<version>"
    message = f"'{content}' is a path of the machine that wrote this file"
    return Problem(where, message, f"Write: {requirement.name}{version}")


def _unsupported(where: str, content: str) -> Problem:
    hint = "List packages by name; the code of the repository itself is always importable."
    return Problem(where, f"'{content}' is not supported", hint)

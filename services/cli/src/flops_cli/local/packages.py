"""The dependencies in a service's pyproject.toml: third-party requirements and local sources."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"^[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Needs:
    """The src folders, the service's own first, and the third-party requirements."""

    sources: tuple[Path, ...]
    requirements: tuple[str, ...]


def needs_of(folder: Path) -> Needs:
    """Return the needs of the distribution in ``folder`` and of its local dependencies."""
    sources: dict[Path, None] = {}
    requirements: dict[str, None] = {}
    waiting = [folder.resolve()]
    while waiting:
        folder = waiting.pop(0)
        if folder / "src" in sources:
            continue
        sources[folder / "src"] = None
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        paths = _local_paths(project)
        for requirement in project["project"].get("dependencies", ()):
            path = paths.get(_name_of(requirement))
            if path is None:
                requirements[requirement] = None
            else:
                waiting.append((folder / path).resolve())
    return Needs(tuple(sources), tuple(requirements))


def _local_paths(project: dict[str, Any]) -> dict[str, str]:
    sources = project.get("tool", {}).get("uv", {}).get("sources", {})
    return {name: source["path"] for name, source in sources.items() if "path" in source}


def _name_of(requirement: str) -> str:
    name = _NAME.match(requirement)
    return name.group() if name else requirement

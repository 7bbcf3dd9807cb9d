"""The outside packages that a repository's modules import when they are imported themselves.

Only certain imports count: those in functions, branches and ``try`` may never run or may fail.
"""

import ast
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from flops_image_builder.domain.sources import Sources


@dataclass(frozen=True)
class Import:
    """An imported package by its import name, and the first place that imports it."""

    name: str
    where: str


def outside_imports(sources: Sources, modules: Collection[str]) -> tuple[Import, ...]:
    """Return the packages that ``modules`` of the repository import, directly or indirectly."""
    own = {part for file in sources.trees for part in PurePosixPath(file).with_suffix("").parts}
    places: dict[str, str] = {}
    waiting = [f"{module}.py" for module in modules]
    seen: set[str] = set()
    while waiting:
        file = waiting.pop(0)
        if file in seen or file not in sources.trees:
            continue
        seen.add(file)
        for name, line in _imports(sources.trees[file]):
            top = name.partition(".")[0]
            if top in own:
                waiting += _files(name, sources.trees)
            elif top not in sys.stdlib_module_names and not top.startswith("flops_"):
                places.setdefault(top, f"{file}:{line}")
    return tuple(Import(name, where) for name, where in places.items())


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def _files(name: str, trees: Mapping[str, ast.Module]) -> list[str]:
    stem = name.replace(".", "/")
    parents = [str(parent) for parent in PurePosixPath(stem).parents if parent.name]
    packages = [f"{path}/__init__.py" for path in (stem, *parents)]
    return [file for file in (f"{stem}.py", *packages) if file in trees]

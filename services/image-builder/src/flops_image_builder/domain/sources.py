"""The Python files of a repository as syntax trees: their definitions, base classes and imports.

Nothing is imported or run; a class is followed through the modules of the repository itself.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from flops_image_builder.domain.problems import Problem

Function = ast.FunctionDef | ast.AsyncFunctionDef

TEMPLATES: Final = "flops_utils"
"""Base classes from this package only declare methods; they implement nothing."""


@dataclass(frozen=True)
class Method:
    """A method and its file."""

    file: str
    node: Function

    @property
    def where(self) -> str:
        """The place of the method, as ``file:line``."""
        return f"{self.file}:{self.node.lineno}"


@dataclass
class Methods:
    """The methods of a class, with inherited ones; ``is_complete`` if all its bases are known."""

    where: str
    by_name: dict[str, Method] = field(default_factory=dict)
    is_complete: bool = True


@dataclass(frozen=True)
class Sources:
    """Every module of a repository by its path, parsed."""

    trees: Mapping[str, ast.Module]

    def class_methods(self, file: str, name: str) -> Methods | None:
        """Return the methods of class ``name`` in ``file``, or None if there is no such class."""
        definition = self._find_class(file, name, depth=0)
        if not definition:
            return None
        place, node = definition
        methods = Methods(f"{place}:{node.lineno}")
        self._collect(place, node, methods, depth=0)
        return methods

    def imports(self, package: str) -> bool:
        """Return whether any module imports ``package``."""
        return any(package in set(_imported(tree)) for tree in self.trees.values())

    def _collect(self, file: str, node: ast.ClassDef, methods: Methods, depth: int) -> None:
        for item in node.body:
            if isinstance(item, Function):
                methods.by_name.setdefault(item.name, Method(file, item))
        for base in node.bases:
            name = ast.unparse(base).rpartition(".")[2].partition("[")[0]
            definition = self._find_class(file, name, depth + 1)
            if definition:
                self._collect(*definition, methods, depth + 1)
            elif not self._is_empty_base(file, name):
                methods.is_complete = False

    def _find_class(self, file: str, name: str, depth: int) -> tuple[str, ast.ClassDef] | None:
        tree = self.trees.get(file)
        if tree is None or depth > 20:
            return None
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == name:
                return file, node
            if isinstance(node, ast.ImportFrom):
                original = _original_name(node, name)
                target = self._module_file(file, node)
                if original and target and target != file:
                    return self._find_class(target, original, depth + 1)
        return None

    def _module_file(self, file: str, node: ast.ImportFrom) -> str | None:
        folder = file.split("/")[: -node.level] if node.level else []
        stem = "/".join([*folder, *(node.module or "").split(".")]).strip("/")
        candidates = (f"{stem}.py", f"{stem}/__init__.py")
        return next((path for path in candidates if path in self.trees), None)

    def _is_empty_base(self, file: str, name: str) -> bool:
        if name in {"object", "ABC", "Generic", "Protocol"}:
            return True
        imported_from = (
            node.module or ""
            for node in ast.walk(self.trees[file])
            if isinstance(node, ast.ImportFrom) and _original_name(node, name)
        )
        is_template = any(module.split(".")[0] == TEMPLATES for module in imported_from)
        return is_template or name.endswith("ManagerTemplate")


def parse_sources(files: Mapping[str, str]) -> tuple[Sources, tuple[Problem, ...]]:
    """Parse every file; syntax errors become problems with file and line."""
    trees: dict[str, ast.Module] = {}
    problems: list[Problem] = []
    for path, text in files.items():
        if "\0" in text:
            hint = "Save it in UTF-8; it may be in UTF-16."
            problems.append(Problem(f"{path}:1", "is not UTF-8, which Python needs", hint))
            continue
        try:
            trees[path] = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            reason = getattr(error, "msg", None) or str(error)
            problems.append(Problem(f"{path}:{line}", f"is not valid Python: {reason}"))
    return Sources(trees), tuple(problems)


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Walk the body of ``function``, without functions and classes defined inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _original_name(node: ast.ImportFrom, name: str) -> str | None:
    for alias in node.names:
        if (alias.asname or alias.name) == name:
            return alias.name
    return None


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]

"""Files that are not what they look like: pointers, submodules, and names that hide others."""

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from flops_image_builder.domain.imports import Import
from flops_image_builder.domain.problems import Problem
from flops_image_builder.domain.texts import LFS_POINTER

NEEDED: Final = frozenset({"datasets", "flwr", "grpc", "marshmallow", "numpy", "pandas", "pyarrow"})
"""Packages that actors import themselves; the folder of the repository is searched before them."""

HARMLESS: Final = frozenset({"antigravity", "test", "this"})
"""Modules of the standard library that no package imports."""

_SUBMODULE: Final = re.compile(r"^\s*path\s*=\s*(\S+)\s*$", re.MULTILINE)


def hiding_names(paths: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each module at the root that hides one of Python or of the actors."""
    for path in sorted(paths):
        name = path.removesuffix("/__init__.py").removesuffix(".py")
        if "/" in name or not path.endswith(".py"):
            continue
        if name in sys.stdlib_module_names - HARMLESS:
            message = f"hides the module '{name}' of Python's standard library"
        elif name in NEEDED:
            message = f"hides the package '{name}', which FLOps' actors need"
        else:
            continue
        yield Problem(path, message, "Rename it, and the imports of it.")


def pointers(files: Mapping[str, str], needed: Collection[str]) -> tuple[list[Problem], list[str]]:
    """Return problems of ``needed`` files that lie in Git LFS, and notices of others."""
    problems, notices = [], []
    for path, text in sorted(files.items()):
        if not text.startswith(LFS_POINTER):
            continue
        if path.endswith(".py") or path in needed:
            hint = "Commit the file itself: FLOps does not fetch from Git LFS."
            problems.append(Problem(path, "is a pointer to Git LFS, not the file itself", hint))
        else:
            notices.append(
                f"{path} is a pointer to Git LFS, from which FLOps does not fetch: the actors "
                "have the pointer only"
            )
    return problems, notices


def submodules(
    files: Mapping[str, str], imports: Collection[Import]
) -> tuple[list[Problem], list[str]]:
    """Return problems of submodules that are imported, and notices of others."""
    problems, notices = [], []
    for folder in _SUBMODULE.findall(files.get(".gitmodules", "")):
        places = [each.where for each in imports if each.name == folder.split("/")[0]]
        if places:
            hint = "Copy its files into the repository, or list it as a dependency."
            message = f"imports '{folder}', a git submodule, which FLOps does not fetch"
            problems.append(Problem(places[0], message, hint))
        else:
            notices.append(f"the git submodule {folder} is not fetched")
    return problems, notices

"""A cloned repository, and everything about it that can be known without running its code."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flops_image_builder.domain.code_check import DATA_MANAGER, check_code
from flops_image_builder.domain.conda import from_conda_yaml
from flops_image_builder.domain.imports import Import, outside_imports
from flops_image_builder.domain.problems import Problem, raise_if_any
from flops_image_builder.domain.requirements import (
    Dependencies,
    from_pyproject,
    from_requirements_txt,
    without_own_packages,
)
from flops_image_builder.domain.sources import parse_sources

DEPENDENCY_FILES: Final = ("conda.yaml", "conda.yml", "requirements.txt", "pyproject.toml")
"""Where dependencies are looked for; the first one that is there counts."""


@dataclass(frozen=True)
class Checkout:
    """A commit of a repository in a folder, without git's own files."""

    commit: str
    folder: Path


@dataclass(frozen=True)
class RepositoryFacts:
    """What the build goes by."""

    dependencies: Dependencies
    imports_mlflow: bool
    modules: tuple[str, ...]
    notices: tuple[str, ...]
    imports: tuple[Import, ...] = ()


def facts_from_files(files: Mapping[str, str]) -> RepositoryFacts:
    """Return the facts; raise ``RepositoryInvalidError`` with all problems at once.

    ``files`` are the texts of the Python files and of those at the root that matter.
    """
    python = {path: text for path, text in files.items() if path.endswith(".py")}
    sources, broken = parse_sources(python)
    unparsed = frozenset(problem.where.rpartition(":")[0] for problem in broken)
    dependencies = _dependencies(files)
    raise_if_any([*broken, *check_code(sources, unparsed), *dependencies.problems])
    dependencies = without_own_packages(dependencies)
    has_dockerfile = any(path.lower() == "dockerfile" for path in files)
    ignored = ("the repository's Dockerfile is ignored: FLOps builds the images itself",)
    modules = ("model_manager", "data_manager") if DATA_MANAGER in files else ("model_manager",)
    return RepositoryFacts(
        dependencies=dependencies,
        imports_mlflow=sources.imports("mlflow"),
        modules=modules,
        imports=outside_imports(sources, modules),
        notices=(*(ignored if has_dockerfile else ()), *dependencies.notices),
    )


def _dependencies(files: Mapping[str, str]) -> Dependencies:
    file = next((name for name in DEPENDENCY_FILES if name in files), "")
    if file.startswith("conda."):
        return from_conda_yaml(files[file], file)
    if file == "requirements.txt":
        return from_requirements_txt(files[file])
    if file == "pyproject.toml":
        return from_pyproject(files[file], files.get("uv.lock", ""))
    hint = "Add a conda.yaml, requirements.txt or pyproject.toml to the root of the repository."
    problem = Problem("conda.yaml", "is missing: nothing says what to install", hint)
    return Dependencies("conda.yaml", problems=(problem,))

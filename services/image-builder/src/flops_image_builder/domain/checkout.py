"""A cloned repository, and the facts that are known without running its code."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from flops_image_builder.domain.code_check import DATA_MANAGER, check_code
from flops_image_builder.domain.conda import from_conda_yaml, from_python_env
from flops_image_builder.domain.imports import Import, outside_imports
from flops_image_builder.domain.problems import Problem, raise_if_any
from flops_image_builder.domain.requirements import (
    Dependencies,
    from_pyproject,
    from_requirements_txt,
    without_own_packages,
)
from flops_image_builder.domain.sources import parse_sources
from flops_image_builder.domain.surroundings import hiding_names, pointers, submodules

CONDA_FILES: Final = ("conda.yaml", "conda.yml", "environment.yaml", "environment.yml")
PYTHON_ENV: Final = "python_env.yaml"
DEPENDENCY_FILES: Final = (*CONDA_FILES, "requirements.txt", "pyproject.toml", PYTHON_ENV)
"""The files that may list the dependencies; the first that exists counts."""


@dataclass(frozen=True)
class Checkout:
    """A commit of a repository in a folder, without git's own files.

    The commit is empty for a folder that was used as it is; ``differs`` describes its changes.
    """

    commit: str
    folder: Path
    differs: str = ""


def digest_of(files: Mapping[str, str]) -> str:
    """Return a digest of the files, to use instead of a commit."""
    digest = sha256()
    for path, text in sorted(files.items()):
        digest.update(f"{path}\0{text}\0".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class RepositoryFacts:
    """The facts that determine a build."""

    dependencies: Dependencies
    imports_mlflow: bool
    modules: tuple[str, ...]
    notices: tuple[str, ...]
    imports: tuple[Import, ...] = ()


def facts_from_files(files: Mapping[str, str]) -> RepositoryFacts:
    """Return the facts; raise ``RepositoryInvalidError`` with all problems at once.

    ``files`` are the texts of the Python files and of the files at the root, by path.
    """
    facts, problems = examine(files)
    raise_if_any(problems)
    return facts


def examine(files: Mapping[str, str]) -> tuple[RepositoryFacts, list[Problem]]:
    """Return the facts about the repository, and all of its problems."""
    in_lfs, lfs_notices = pointers(files, DEPENDENCY_FILES)
    elsewhere = {problem.where for problem in in_lfs}
    python = {
        path: text for path, text in files.items() if path.endswith(".py") and path not in elsewhere
    }
    sources, broken = parse_sources(python)
    unparsed = frozenset(problem.where.rpartition(":")[0] for problem in broken) | elsewhere
    declared = _dependencies(files)
    dependencies = without_own_packages(declared)
    has_dockerfile = any(path.lower() == "dockerfile" for path in files)
    ignored = ("the repository's Dockerfile is ignored: FLOps builds the images itself",)
    modules = ("model_manager", "data_manager") if DATA_MANAGER in files else ("model_manager",)
    imports = outside_imports(sources, modules)
    in_submodules, submodule_notices = submodules(files, imports)
    problems = [
        *in_lfs,
        *broken,
        *check_code(sources, unparsed),
        *hiding_names(python),
        *in_submodules,
        *(() if declared.file in elsewhere else declared.problems),
    ]
    facts = RepositoryFacts(
        dependencies=dependencies,
        imports_mlflow=sources.imports("mlflow"),
        modules=modules,
        imports=imports,
        notices=(
            *(ignored if has_dockerfile else ()),
            *lfs_notices,
            *submodule_notices,
            *dependencies.notices,
        ),
    )
    return facts, problems


def _dependencies(files: Mapping[str, str]) -> Dependencies:
    file = next((name for name in DEPENDENCY_FILES if name in files), "")
    if file in CONDA_FILES:
        return from_conda_yaml(files[file], file)
    if file == "requirements.txt":
        return from_requirements_txt(files[file])
    if file == "pyproject.toml":
        return from_pyproject(files[file], files.get("uv.lock", ""))
    if file == PYTHON_ENV:
        return from_python_env(files[file], PYTHON_ENV)
    hint = "Add a conda.yaml, requirements.txt or pyproject.toml to the root of the repository."
    problem = Problem("conda.yaml", "is missing, so the dependencies are unknown", hint)
    return Dependencies("conda.yaml", problems=(problem,))

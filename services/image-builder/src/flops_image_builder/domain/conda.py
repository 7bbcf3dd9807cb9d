"""Reads conda.yaml for an installer that knows PyPI only."""

import re
from dataclasses import replace
from typing import Any, Final

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from flops_image_builder.domain.problems import Problem
from flops_image_builder.domain.requirements import Dependencies, Line, from_requirements_txt

PYPI_NAMES: Final = {
    "faiss-cpu": "faiss-cpu",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "python-graphviz": "graphviz",
    "pytables": "tables",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-lightning": "pytorch-lightning",
    "tensorflow-base": "tensorflow",
}
"""Packages with another name on PyPI than in conda; all others keep their name."""

CONDA_ONLY: Final = frozenset(
    (
        *("blas", "bzip2", "c-ares", "ca-certificates", "cpuonly", "cudatoolkit", "expat"),
        *("freetype", "icu", "jpeg", "lame", "lcms2", "ld_impl_linux-64", "lerc", "libblas"),
        *("libcblas", "libdeflate", "libexpat", "libffi", "libgcc", "libgcc-ng"),
        *("libgfortran-ng", "libgfortran5", "libgomp", "libiconv", "liblapack", "libnsl"),
        *("libopenblas", "libpng", "libsqlite", "libstdcxx", "libstdcxx-ng", "libtiff"),
        *("libuuid", "libwebp", "libwebp-base", "libxcrypt", "libzlib", "llvm-openmp", "lz4-c"),
        *("mkl-service", "ncurses", "nomkl", "openh264", "openjpeg", "openssl", "pip"),
        *("pybind11-abi", "python_abi", "pytorch-mutex", "readline", "setuptools", "sqlite"),
        *("tbb", "tk", "wheel", "xz", "yaml", "zlib", "zstd"),
    )
)
"""Libraries that exist only in conda, or come with wheels, and tools that no actor needs."""

_SPEC = re.compile(r"^(?:[\w.-]+::)?(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<version>.*)$")


class UnreadableSpecError(ValueError):
    """A conda match specification that has no counterpart on PyPI."""


def from_conda_yaml(text: str, file: str = "conda.yaml") -> Dependencies:
    """Read the ``dependencies`` of a conda environment, its ``pip:`` list included."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        return Dependencies(file, problems=(Problem(where, "is not valid YAML"),))
    listed = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        hint = "List packages, such as '- numpy=2.2', under 'dependencies:'."
        return Dependencies(file, problems=(Problem(file, "has no 'dependencies' list", hint),))
    return _collect(listed, text, file)


def from_python_env(text: str, file: str) -> Dependencies:
    """Read MLflow's ``python_env.yaml``: a version of Python, and lines of pip's format."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return Dependencies(file, problems=(Problem(file, "is not valid YAML"),))
    listed = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        hint = "List packages, such as '- numpy==2.2.0', under 'dependencies:'."
        return Dependencies(file, problems=(Problem(file, "has no 'dependencies' list", hint),))
    above = "\n" * (next(iter(_item_lines(text)), 1) - 1)
    read = from_requirements_txt(above + "\n".join(map(str, listed)), file)
    version = str(document.get("python") or "")
    return replace(read, python=f"=={version}" if version else "")


def requirement_from_spec(spec: str) -> str:
    """Turn one conda specification into PEP 508; raise ``UnreadableSpecError``."""
    match = _SPEC.match(spec.strip())
    if not match:
        raise UnreadableSpecError(spec)
    name = PYPI_NAMES.get(match["name"].lower(), match["name"])
    requirement = name + _version_from_spec(match["version"].strip())
    try:
        return str(Requirement(requirement))
    except InvalidRequirement as error:
        raise UnreadableSpecError(spec) from error


def _version_from_spec(version: str) -> str:
    # "=1.2=py311_0" and "1.2 py311_0" end with a build string, which is specific to conda.
    version = re.sub(r"^(=?=?[^=<>!~\s,|]+)(?:\s+|=)[\w*.]+$", r"\1", version)
    if not version or version == "*":
        return ""
    if version[0] in "<>!~":
        return version.replace(" ", "")
    if "|" in version or "," in version:
        raise UnreadableSpecError(version)
    number = version.lstrip("=").strip()
    is_fuzzy = not version.startswith("==") and number.count(".") < 2
    return f"=={number}.*" if is_fuzzy and not number.endswith("*") else f"=={number}"


def _collect(listed: list[Any], text: str, file: str) -> Dependencies:
    lines: list[Line] = []
    notices: list[str] = []
    problems: list[Problem] = []
    python = ""
    for item, number in zip(listed, _item_lines(text), strict=False):
        where = f"{file}:{number}"
        if isinstance(item, dict):
            pip = _from_pip_list(item, number, file)
            lines.extend(pip.lines)
            notices.extend(pip.notices)
            problems.extend(pip.problems)
            continue
        name = re.split(r"[\s=<>!~\[]", str(item).rpartition("::")[2], maxsplit=1)[0].lower()
        if name in CONDA_ONLY or name.startswith("_"):
            # Underscores mark conda's own markers, such as _libgcc_mutex and _openmp_mutex.
            continue
        try:
            requirement = requirement_from_spec(str(item))
        except UnreadableSpecError:
            hint = "Write it as name=version, name>=version or name."
            problems.append(Problem(where, f"'{item}' cannot be read", hint))
            continue
        if name == "python":
            python = requirement.removeprefix("python")
        else:
            lines.append(Line(requirement, where))
    return Dependencies(
        file, tuple(lines), python, notices=tuple(notices), problems=tuple(problems)
    )


def _from_pip_list(item: dict[Any, Any], number: int, file: str) -> Dependencies:
    entries = item.get("pip") or []
    blank_lines = "\n" * number
    return from_requirements_txt(blank_lines + "\n".join(str(entry) for entry in entries), file)


def _item_lines(text: str) -> list[int]:
    """Return the line of each item of ``dependencies``, from YAML's own marks."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, value in root.value if root else ():
        if key.value == "dependencies":
            return [node.start_mark.line + 1 for node in value.value]
    return []

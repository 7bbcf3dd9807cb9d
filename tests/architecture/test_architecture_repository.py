"""The promises of the house that no linter knows."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from flops_contracts.declared import schema_of
from flops_contracts.sla import (
    MockDataConfiguration,
    MockSla,
    ProjectSla,
    ResourceConstraints,
    TrainingConfiguration,
)
from flops_contracts.strategies import STRATEGIES
from flops_contracts.version import VERSION

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.parent for path in ROOT.glob("services/*/pyproject.toml"))
PACKAGES = [*SERVICES, *sorted(path.parent for path in ROOT.glob("shared/*/pyproject.toml"))]
TEXTS = {".py", ".toml", ".md", ".yml", ".yaml", ".json", ".sh", ".cff"}
LOCKS = sorted([*ROOT.glob("*.lock"), *ROOT.glob("services/*/*.lock")])
BANNED_MODULES = {"utils", "common", "helpers", "misc", "base", "main", "auxiliary", "management"}


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def python_files():
    return [path for path in tracked_files() if path.suffix == ".py"]


def test_there_are_twelve_services():
    assert len(SERVICES) == 12


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_every_service_has_the_same_shape(service):
    package = service / "src" / f"flops_{service.name.replace('-', '_')}"

    expected = [
        service / "README.md",
        service / "requirements.lock",
        package / "__init__.py",
        package / "__main__.py",
    ]

    assert [path for path in expected if not path.is_file()] == []


@pytest.mark.parametrize(
    "part",
    [ProjectSla, TrainingConfiguration, ResourceConstraints, MockSla, MockDataConfiguration],
)
def test_every_key_of_an_sla_is_explained(part):
    page = (ROOT / "docs" / "sla.md").read_text()
    keys = [item.data_key or name for name, item in schema_of(part)().fields.items()]

    assert [key for key in keys if f"`{key}`" not in page] == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_explained(strategy):
    page = (ROOT / "docs" / "sla.md").read_text()
    row = next(
        line for line in page.splitlines() if line.startswith("|") and f"`{strategy}`" in line
    )

    assert [
        parameter for parameter in STRATEGIES[strategy].parameters if f"`{parameter}`" not in row
    ] == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_every_dependency_has_a_floor(service):
    project = tomllib.loads((service / "pyproject.toml").read_text())["project"]
    foreign = [
        dependency for dependency in project["dependencies"] if not dependency.startswith("flops-")
    ]

    assert [item for item in foreign if ">=" not in item] == []


def test_no_module_has_a_name_that_says_nothing():
    assert [path for path in python_files() if path.stem in BANNED_MODULES] == []


def test_no_lock_names_a_host():
    assert [path for path in LOCKS if re.search(r"https?://|--index|file:", path.read_text())] == []


def test_every_locked_distribution_is_hashed():
    for lock in LOCKS:
        pins = re.findall(r"^[a-z0-9].*==", lock.read_text(), re.MULTILINE)
        assert lock.read_text().count("--hash=sha256:") >= len(pins), lock


def test_the_version_is_written_in_one_place():
    """Apart from the history in the changelog, and what `make docs` and `make release` write."""
    elsewhere = {"CHANGELOG.md", "settings.md", "local.yml", "management.yml"}
    readable = [path for path in tracked_files() if path.suffix in TEXTS or not path.suffix]
    own = [path for path in readable if path.name not in elsewhere]

    stating = [
        path.name for path in own if re.search(rf"\b{re.escape(VERSION)}\b", path.read_text())
    ]

    assert stating == ["version.py"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_has_the_licence_and_the_version_of_all(package):
    description = tomllib.loads((package / "pyproject.toml").read_text())
    source = description["tool"]["hatch"]["version"]["path"]

    assert description["project"]["license"] == "Apache-2.0"
    assert description["project"]["dynamic"] == ["version"]
    assert (package / source).resolve() == ROOT / "shared/contracts/src/flops_contracts/version.py"


def test_nothing_sleeps():
    sleeping = re.compile(r"\btime\.sleep\(|^from time import .*\bsleep\b", re.MULTILINE)

    assert [path for path in python_files() if sleeping.search(path.read_text())] == []


def test_nothing_is_patched():
    patching = re.compile(r"\bmock\.patch\b|\bmonkeypatch\.setattr\(")

    assert [path for path in python_files() if patching.search(path.read_text())] == []


def test_no_project_depends_on_pydantic():
    named = [path for path in ROOT.glob("*/*/pyproject.toml") if "pydantic" in path.read_text()]

    assert named == []

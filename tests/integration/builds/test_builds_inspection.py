"""Inspections of repositories with real git, real uv, and a real round in its own process."""

import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flops_image_builder.adapters.commands import Commands
from flops_image_builder.adapters.folders import FoldersAndRepositories
from flops_image_builder.adapters.git import GitRepositories, GitSettings
from flops_image_builder.bootstrap import inspect
from flops_image_builder.settings import InspectionSettings
from flops_runtime.environment import read
from support.builds import SAMPLE, a_repository

SOURCE = (SAMPLE / "model_manager.py").read_text()


@pytest.fixture
def inspected(builder, tmp_path):
    """Inspect the sample with changes; return the findings."""

    def inspected(changes=None, **order):
        a_repository(tmp_path / "mnist", changes)
        variables = builder.environment(FLOPS_ML_REPO_URL=str(tmp_path / "mnist"), **order)
        return inspect(read(InspectionSettings, variables), os.environ)

    return inspected


def problems(findings):
    return [finding for finding in findings if not finding.is_ok]


def test_a_good_repository_has_no_problems(builder, inspected):
    before = builder.manifests()

    findings = inspected(FLOPS_SUPPORTED_PLATFORMS="linux/amd64,linux/arm64")

    assert problems(findings) == []
    assert {finding.check for finding in findings} == {
        "repository",
        "structure",
        "dependencies",
        "imports",
        "methods",
    }
    assert [finding.message for finding in findings if "arm64" in finding.message] == [
        "the same versions, linux/arm64"
    ]
    assert builder.manifests() == before, "an inspection must not leave an image"


def test_every_problem_of_the_structure_is_reported_with_its_place(inspected):
    without_fit = SOURCE.replace("def fit_model", "def fit")

    findings = problems(inspected({"model_manager.py": without_fit, "conda.yaml": None}))

    assert [(finding.check, finding.where.partition(":")[0]) for finding in findings] == [
        ("structure", "model_manager.py"),
        ("structure", "conda.yaml"),
    ]
    assert all(finding.hint for finding in findings)


def test_uncommitted_changes_are_reported(tmp_path):
    a_repository(tmp_path / "mnist")
    (tmp_path / "mnist" / "notes.md").write_text("later")
    commands = Commands(os.environ)
    source = FoldersAndRepositories(GitRepositories(commands, GitSettings()), commands)

    checkout = source.fetch(str(tmp_path / "mnist"), "", tmp_path / "copy")

    assert (checkout.commit, checkout.differs) == ("", "1 of its files not committed")
    assert (checkout.folder / "notes.md").is_file()


def test_a_folder_without_git_is_taken_as_it_is(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "mnist")
    commands = Commands(os.environ)
    source = FoldersAndRepositories(GitRepositories(commands, GitSettings()), commands)

    checkout = source.fetch(str(tmp_path / "mnist"), "", tmp_path / "copy")

    assert checkout.differs == "which is not a git repository"
    assert (checkout.folder / "model_manager.py").is_file()


def test_an_error_in_a_method_is_found_in_a_round(inspected):
    too_hot = SOURCE.replace("return len(self._train_labels)", "raise ValueError('too hot')")

    (finding,) = problems(inspected({"model_manager.py": too_hot}))

    assert finding.check == "methods"
    assert "raised ValueError: too hot" in finding.message
    assert finding.where.startswith("model_manager.py:")


def test_rows_of_the_user_are_used(inspected, tmp_path):
    rows = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"temperature": [1.0, 2.0]}), rows)

    findings = problems(inspected(FLOPS_SAMPLE_ROWS=str(rows)))

    assert "temperature" in findings[0].message


def test_a_repository_that_is_not_there_is_a_finding(builder):
    variables = builder.environment(FLOPS_ML_REPO_URL="file:///nowhere/at/all")
    settings = read(InspectionSettings, variables)

    (finding,) = inspect(settings, os.environ)

    assert (finding.check, finding.is_ok) == ("repository", False)

"""Repositories become actors: real git, real uv, real environments."""

import subprocess
from pathlib import Path

import pytest

from flops_contracts.build_records import actors_note
from flops_contracts.bundles import read_bundle
from flops_image_builder.domain.errors import (
    BuildFailedError,
    DependenciesUnresolvableError,
    RepositoryInvalidError,
    RepositoryUnreachableError,
)
from flops_manager.adapters.images import StoredImages
from support.builds import SAMPLE, a_repository

PUBLIC_PINS = Path(__file__).parent / "repos/public-pins"
CONDA = "dependencies:\n  - python=3.11\n  - pip:\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "mnist"
    a_repository(folder)
    return folder


@pytest.fixture(scope="module")
def built(builder, repository):
    return builder.actors(repository.as_uri())


def run_python(builder, reference, *arguments):
    """Run the Python of an image as its process runtime would; return the exit code and output."""
    bundle = read_bundle(builder.store, reference)
    finished = subprocess.run(
        [bundle.argv[0], *arguments],
        env={"PATH": "/usr/bin:/bin", **bundle.environment},
        cwd=bundle.working_directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


def test_the_images_are_named_after_the_repository(built):
    result, _ = built

    assert result.images.learner.startswith("127.30.0.1:5073/local/mnist/learner:")
    assert result.images.aggregator.startswith("127.30.0.1:5073/local/mnist/aggregator:")
    assert not result.reused


def test_the_manager_finds_what_was_built_in_the_store(builder, built):
    assert StoredImages(builder.store).built(actors_note("0123456789ab")) == built[0]


def test_the_sample_builds_without_a_word_to_the_user(built):
    _, reports = built

    assert reports.notices == []


def test_a_learner_imports_the_users_code_and_flops(builder, built):
    code = (
        "import model_manager; print(model_manager.ModelManager().get_model_parameters()[0].shape)"
    )

    exit_code, output = run_python(builder, built[0].images.learner, "-c", code)

    assert (exit_code, output.strip()) == (0, "(10, 784)")


def test_a_learner_brings_no_mlflow(builder, built):
    exit_code, output = run_python(builder, built[0].images.learner, "-c", "import mlflow")

    assert exit_code == 1
    assert "No module named 'mlflow'" in output


def test_an_aggregator_has_mlflow_and_the_learners_versions(builder, built):
    code = "import mlflow.sklearn, sklearn; print(sklearn.__version__)"

    exit_code, output = run_python(builder, built[0].images.aggregator, "-c", code)

    assert (exit_code, output.strip()) == (0, "1.9.1")


def test_what_was_built_is_built_once(builder, built, repository):
    again, reports = builder.actors(str(repository))

    assert again.reused
    assert again.images == built[0].images
    assert not any(step.startswith(("Installing", "Assembling")) for step in reports.steps)


@pytest.mark.usefixtures("built")
def test_a_change_of_code_installs_nothing(builder, tmp_path):
    url = a_repository(tmp_path / "mnist", {"notes.txt": "new"})

    result, reports = builder.actors(url)

    assert not result.reused
    assert not any(step.startswith("Installing") for step in reports.steps)


def test_the_pins_of_the_public_sample_build_unmodified(builder, tmp_path):
    url = a_repository(tmp_path / "public", source=PUBLIC_PINS)

    result, reports = builder.actors(url)

    code = "import numpy, sklearn, yaml; print(numpy.__version__, sklearn.__version__)"
    assert run_python(builder, result.images.learner, "-c", code)[1].strip() == "1.26.4 1.4.2"
    assert "'mlflow==2.12.1' is ignored" in reports.notices[0]
    assert "asks for Python 3.10.14" in reports.notices[1]
    assert reports.notices[2].startswith("your pin 'pyyaml==6.0.1' overrides")


def test_an_unreachable_repository_is_reported_with_gits_words(builder, tmp_path):
    with pytest.raises(RepositoryUnreachableError, match="does not appear to be a git repository"):
        builder.actors((tmp_path / "nothing").as_uri())


def test_a_repository_without_a_model_manager_is_refused(builder, tmp_path):
    url = a_repository(tmp_path / "mnist", {"model_manager.py": None})

    with pytest.raises(RepositoryInvalidError) as caught:
        builder.actors(url)

    assert caught.value.where == "model_manager.py"


def test_a_model_manager_without_fit_model_is_refused(builder, tmp_path):
    text = (SAMPLE / "model_manager.py").read_text().replace("def fit_model", "def train_model")
    url = a_repository(tmp_path / "mnist", {"model_manager.py": text})

    with pytest.raises(
        RepositoryInvalidError, match=r"model_manager\.py:\d+: .* has no method fit_model"
    ):
        builder.actors(url)


@pytest.mark.parametrize(
    ("lines", "reason", "where"),
    [
        (
            "    - numpy==2.4.6\n    - scikit-lern-which-nobody-wrote==1.0\n",
            "package 'scikit-lern-which-nobody-wrote' does not exist",
            "conda.yaml:5",
        ),
        ("    - numpy==99.1\n", "there is no version 99.1 of package 'numpy'", "conda.yaml:4"),
        (
            "    - packaging\n    - numpy==1.21.0\n",
            "package 'numpy==1.21.0' has no wheel for Python 3.11",
            "conda.yaml:5",
        ),
        (
            "    - numpy<1.19\n    - scikit-learn==1.4.2\n",
            "the dependencies contradict each other: scikit-learn==1.4.2 depends on numpy>=1.19.5",
            "conda.yaml:4",
        ),
        (
            "    - protobuf<4\n",
            "the dependencies contradict each other",
            "conda.yaml:4",
        ),
    ],
)
def test_dependencies_that_cannot_be_had_are_named(builder, tmp_path, lines, reason, where):
    url = a_repository(tmp_path / "mnist", {"conda.yaml": CONDA + lines})

    with pytest.raises(DependenciesUnresolvableError) as caught:
        builder.actors(url)

    assert caught.value.reason.startswith(reason)
    assert caught.value.where == where


@pytest.mark.usefixtures("built")
def test_an_import_that_fails_is_found_before_anything_is_deployed(builder, tmp_path):
    text = "import a_package_that_nobody_listed\n" + (SAMPLE / "data_manager.py").read_text()
    url = a_repository(tmp_path / "unlisted", {"data_manager.py": text})

    with pytest.raises(BuildFailedError, match="a_package_that_nobody_listed") as caught:
        builder.actors(url)

    assert caught.value.where == "data_manager.py:1"
    assert not [file for file in builder.manifests() if "/unlisted/" in file.read_text()]

"""Repositories become images: real buildah, a real registry, real wheels for two platforms."""

import json
import os
import subprocess

import pytest

from containers.bench.bench import Bench
from flops_contracts.build_records import actors_note
from flops_contracts.version import VERSION
from flops_image_builder.bootstrap import work
from flops_image_builder.domain.errors import (
    BuildFailedError,
    DependenciesUnresolvableError,
    ImageStoreError,
)
from flops_image_builder.settings import Settings
from flops_manager.adapters.images import RegistryAddress, RegistryImages
from flops_runtime.environment import read
from support.builds import Reports, commit, git
from support.images import (
    PASSWORD,
    PLATFORMS,
    USER,
    ImageRegistry,
    Storage,
    missing_programs,
    push_base,
)

CODE = """
import markupsafe

class ModelManager:
    def get_model(self): return 1
    def get_model_parameters(self): return []
    def set_model_parameters(self, parameters): ...
    def set_model_data(self): ...
    def fit_model(self): return 1
    def evaluate_model(self): return 0.0, 0.0, 1
"""


class Builder:
    """Builds with everything real into a registry of its own."""

    def __init__(self, folder, registry):
        self.registry = registry
        self.storage = Storage(folder / "storage", registry)

    def run(self, **order):
        reports = Reports()
        variables = {
            "FLOPS_INSTANCE": "bldx1",
            "FLOPS_PROJECT_ID": "0123456789ab",
            "FLOPS_STAGE": "building_actors",
            "FLOPS_MQTT_URL": "mqtt://127.0.0.1:9",
            "FLOPS_BUILD": "actors",
            "FLOPS_IMAGE_STORE": str(self.storage.folder),
            "FLOPS_IMAGE_REGISTRY": self.registry.address,
            "FLOPS_IMAGE_REGISTRY_USER": USER,
            "FLOPS_IMAGE_REGISTRY_PASSWORD": PASSWORD,
            "FLOPS_REGISTRY_TLS": "off",
            "FLOPS_IMAGE_PREFIX": f"{self.registry.address}/suite",
            "FLOPS_ML_MODEL_FLAVOR": "sklearn",
            "FLOPS_SUPPORTED_PLATFORMS": PLATFORMS,
            **order,
        }
        settings = read(Settings, variables)
        return work(settings, os.environ)(reports)[1], reports

    def actors(self, repository, **order):
        return self.run(FLOPS_ML_REPO_URL=repository.as_uri(), **order)


def a_repository(folder, files):
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, {"model_manager.py": CODE, "requirements.txt": "markupsafe==3.0.2\n", **files})
    return folder


@pytest.fixture(scope="module")
def registry(bench: Bench, tmp_path_factory):
    """A registry of these tests' own; the bench has installed what it can be."""
    lacking = missing_programs()
    if lacking:
        pytest.skip(f"images cannot be built here without {lacking}")
    running = ImageRegistry(tmp_path_factory.mktemp("registry") / "registry")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def builder(tmp_path_factory, registry):
    folder = tmp_path_factory.mktemp("images")
    builder = Builder(folder, registry)
    push_base(builder.storage, folder, "learner", "iniconfig\n", "import iniconfig\n")
    push_base(builder.storage, folder, "aggregator", "iniconfig\npackaging\n", "import packaging\n")
    push_base(builder.storage, folder, "model-server", "packaging\n", "import packaging\n")
    yield builder
    builder.storage.remove()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return a_repository(tmp_path_factory.mktemp("repositories") / "mnist", {})


@pytest.fixture(scope="module")
def built(builder, repository):
    return builder.actors(repository)


@pytest.fixture
def empty_builder(tmp_path, registry):
    """A builder as Oakestra starts it: its storage holds nothing."""
    builder = Builder(tmp_path, registry)
    yield builder
    builder.storage.remove()


def test_an_image_is_there_for_each_platform(built, registry):
    entries = registry.manifest(built[0].images.learner)["manifests"]

    architectures = {entry["platform"]["architecture"] for entry in entries}
    assert architectures == {"amd64", "arm64"}


def test_each_platform_has_its_own_wheels(built, registry, tmp_path):
    digest = registry.layers(built[0].images.learner, "arm64")[-2]
    registry.skopeo(
        *("copy", "--override-arch=arm64", f"docker://{built[0].images.learner}"),
        f"dir:{tmp_path}",
    )

    listed = subprocess.check_output(["tar", "-tzf", tmp_path / digest[7:]], text=True, timeout=30)
    assert "flops/site/markupsafe/_speedups.cpython-" in listed
    assert "-aarch64-linux-gnu.so" in listed
    assert "-x86_64-linux-gnu.so" not in listed


def test_an_image_runs_the_users_code_without_root(builder, built):
    code = "import os, model_manager; print(os.getuid(), model_manager.ModelManager().fit_model())"

    answer = builder.storage.run_python(built[0].images.learner, "-c", code)

    assert answer == "10001 1"


def test_the_manager_finds_what_was_built_in_the_registry(built, registry):
    address = RegistryAddress(registry.address, USER, PASSWORD, has_tls=False)

    assert RegistryImages(address).built(actors_note("0123456789ab")) == built[0]


def test_an_image_keeps_what_its_base_says_of_itself(built, registry):
    argv = ("inspect", "--config", "--raw", f"docker://{built[0].images.learner}")
    config = json.loads(registry.skopeo(*argv))["config"]

    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-V"]
    assert config["Entrypoint"] == ["python", "-m", "flops_learner"]
    assert (config["User"], config["WorkingDir"]) == ("10001:10001", "/flops/code")


def test_a_learner_brings_less_than_an_aggregator(builder, built):
    code = "from importlib.util import find_spec as find; print(bool(find('packaging')))"

    assert builder.storage.run_python(built[0].images.learner, "-c", code) == "False"
    assert builder.storage.run_python(built[0].images.aggregator, "-c", code) == "True"


def test_both_actors_share_the_layer_with_the_users_packages(built, registry):
    shared = set(registry.layers(built[0].images.learner)) & set(
        registry.layers(built[0].images.aggregator)
    )

    # Each of these tiny bases is one layer of its own.
    assert shared == {registry.layers(built[0].images.learner)[-2]}


def test_what_was_built_is_built_once(builder, built, repository):
    again, reports = builder.actors(repository)

    assert again.reused
    assert again.images == built[0].images
    assert not any(step.startswith("Assembling") for step in reports.steps)


def test_a_change_of_code_is_one_layer_even_for_a_builder_that_starts_empty(
    built, registry, empty_builder, tmp_path
):
    changed = a_repository(tmp_path / "mnist", {"notes.txt": "new"})

    result, reports = empty_builder.actors(changed)

    assert not any(step.startswith(("Installing", "Pushing the")) for step in reports.steps)
    # Nothing was pulled: there is no storage yet.
    assert not empty_builder.storage.folder.exists()
    before, after = (registry.layers(actors.images.learner) for actors in (built[0], result))
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


def test_the_same_build_somewhere_else_makes_the_same_layers(built, registry, tmp_path):
    """An image that the registry lost is built again with the same contents."""
    other = ImageRegistry(tmp_path / "other")
    other.start()
    builder = Builder(tmp_path, other)
    try:
        for service in ("learner", "aggregator"):
            source = f"docker://{registry.address}/suite/{service}:{VERSION}"
            registry.skopeo(
                *("copy", "--all", "--dest-authfile", str(other.auth_file)),
                *("--src-authfile", str(registry.auth_file), "--dest-tls-verify=false"),
                *(source, f"docker://{other.address}/suite/{service}:{VERSION}"),
            )
        result, _ = builder.actors(a_repository(tmp_path / "mnist", {}))

        assert (
            other.layers(result.images.learner)[:-1]
            == registry.layers(built[0].images.learner)[:-1]
        )
    finally:
        builder.storage.remove()
        other.stop()


def test_an_import_that_fails_leaves_nothing_in_the_registry(builder, registry, tmp_path):
    code = f"import a_package_that_nobody_listed\n{CODE}"
    repository = a_repository(tmp_path / "unlisted", {"model_manager.py": code})

    with pytest.raises(BuildFailedError, match="a_package_that_nobody_listed") as caught:
        builder.actors(repository)

    assert caught.value.where == "model_manager.py:1"
    assert registry.tags("local/unlisted/learner") == []


def test_an_import_that_nothing_brings_is_found_without_installing_anything(
    built, empty_builder, registry, tmp_path
):
    code = f"{CODE}\nfrom another_package import what"
    repository = a_repository(tmp_path / "unlisted-later", {"model_manager.py": code})

    with pytest.raises(
        BuildFailedError, match="'another_package', which its dependencies"
    ) as caught:
        empty_builder.actors(repository)

    assert caught.value.where == "model_manager.py:12"
    assert registry.tags("local/unlisted-later/learner") == []


def test_an_import_that_breaks_is_found_when_the_dependencies_are_new(builder, registry, tmp_path):
    code = f"from markupsafe import nothing_like_that\n{CODE}"
    files = {"model_manager.py": code, "requirements.txt": "markupsafe==3.0.1\n"}
    repository = a_repository(tmp_path / "breaks", files)

    with pytest.raises(BuildFailedError, match="cannot import name 'nothing_like_that'") as caught:
        builder.actors(repository)

    assert caught.value.where == "model_manager.py:1"
    assert registry.tags("local/breaks/learner") == []


def test_a_push_that_breaks_is_reported_and_the_next_project_builds_again(
    builder, registry, tmp_path
):
    repository = a_repository(tmp_path / "broken", {"large.bin": os.urandom(200_000).hex()})
    registry.stop()
    registry.start(largest_file="60000")
    try:
        with pytest.raises(ImageStoreError, match="pushing"):
            builder.actors(repository, FLOPS_REGISTRY_PATIENCE_SECONDS="1")
    finally:
        registry.stop()
        registry.start()

    assert registry.tags("local/broken/learner") == []
    assert not builder.actors(repository)[0].reused


def test_a_registry_that_refuses_is_reported_without_the_password(builder, repository):
    with pytest.raises(ImageStoreError) as caught:
        builder.actors(repository, FLOPS_IMAGE_REGISTRY_PASSWORD="a-wrong-one")

    assert "user, password and authfile" in caught.value.hint
    assert "a-wrong-one" not in str(caught.value)


def test_a_registry_without_tls_is_not_spoken_to_by_default(builder, repository):
    with pytest.raises(ImageStoreError) as caught:
        builder.actors(repository, FLOPS_REGISTRY_TLS="on")

    assert "FLOPS_REGISTRY_TLS=off" in caught.value.hint


def test_a_base_image_that_is_missing_is_named(builder, repository):
    with pytest.raises(ImageStoreError, match=r"base image .*/learner:v9 is not"):
        builder.actors(repository, FLOPS_IMAGE_TAG="v9")


def test_a_package_without_a_wheel_for_a_platform_is_named(builder, tmp_path):
    repository = a_repository(tmp_path / "mkl", {"requirements.txt": "intel-openmp==2025.0.4\n"})

    with pytest.raises(DependenciesUnresolvableError) as caught:
        builder.actors(repository)

    assert "'intel-openmp==2025.0.4' has no wheel" in caught.value.reason
    assert "linux/arm64" in caught.value.reason
    assert caught.value.where == "requirements.txt:1"


def test_a_dry_run_prints_the_dockerfiles_and_builds_nothing(builder, registry, tmp_path, capsys):
    repository = a_repository(tmp_path / "dry", {})

    builder.actors(repository, FLOPS_DRY_RUN="on")

    assert "COPY code/ /flops/code/" in capsys.readouterr().out
    assert registry.tags("local/dry/learner") == []


def test_a_model_becomes_an_image_with_the_code_that_trained_it(builder, built, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}\n")
    (model / "requirements.txt").write_text("markupsafe\n")
    (model / "python_env.yaml").write_text("python: 3.11.2\n")

    result, _ = builder.run(
        FLOPS_BUILD="model",
        FLOPS_MLFLOW_URL="http://127.0.0.1:9",
        FLOPS_MODEL_URI=model.as_uri(),
        FLOPS_RUN_ID="0f3a",
        FLOPS_CUSTOMER="Admin",
        FLOPS_ACTORS_IMAGE=built[0].images.aggregator,
    )

    code = "import os, model_manager as m, markupsafe as s; print(s.__version__, *os.listdir(p))"
    code = f"p = __import__('os').environ['FLOPS_MODEL_PATH']; {code}"
    answer = builder.storage.run_python(result.image, "-c", code)
    assert result.image == f"{builder.registry.address}/admin/trained_model:0f3a"
    assert sorted(answer.split()) == ["3.0.2", "MLmodel", "python_env.yaml", "requirements.txt"]


def test_nothing_is_left_in_the_storage_but_bases_and_dependencies(builder, built):
    names = builder.storage.buildah("images", "--format", "{{.Name}}").splitlines()

    assert builder.storage.buildah("containers", "--quiet") == ""
    assert not [name for name in names if built[0].images.learner.startswith(name)]

import pytest

from flops_model_server.errors import ModelUnusableError
from flops_model_server.serving import load
from flops_model_server.settings import Settings
from flops_runtime.environment import BadSettingsError, read


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelUnusableError, match="has no MLflow model"):
        load(tmp_path)


def test_a_model_that_cannot_be_loaded_says_why(tmp_path):
    (tmp_path / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: no.such\n")

    with pytest.raises(ModelUnusableError, match="cannot be loaded: ModuleNotFoundError"):
        load(tmp_path)


def test_the_model_to_serve_must_be_named():
    with pytest.raises(BadSettingsError, match="FLOPS_MODEL_PATH is missing"):
        read(Settings, {})

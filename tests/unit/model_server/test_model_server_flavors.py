"""Special treatment of Keras and PyTorch models."""

import numpy as np
import pytest

from flops_model_server.flavors import TorchModel, keras_backend

MLMODEL = """
flavors:
  keras:
    data: data
    keras_backend: jax
    keras_version: 3.15.1
"""


class Echo:
    """A model that returns its input."""

    metadata = "metadata"

    def predict(self, data, params=None):
        return data


@pytest.mark.parametrize(("text", "backend"), [(MLMODEL, "jax"), ("flavors: {}\n", "")])
def test_the_backend_of_a_keras_model_is_what_it_was_trained_with(tmp_path, text, backend):
    (tmp_path / "MLmodel").write_text(text)

    assert keras_backend(tmp_path) == backend


def test_a_folder_without_a_model_has_no_backend(tmp_path):
    assert keras_backend(tmp_path) == ""


@pytest.mark.parametrize(
    ("requested", "expected"), [("float64", "float32"), ("int64", "int64"), ("float16", "float16")]
)
def test_floats_of_a_request_reach_pytorch_as_it_has_them(requested, expected):
    model = TorchModel(Echo())

    assert model.predict(np.ones((1, 2), dtype=requested)).dtype == expected
    assert model.metadata == "metadata"

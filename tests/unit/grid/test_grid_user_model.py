"""The user's ModelManager: its mistakes become sentences with file and line."""

import math

import numpy as np
import pytest

from flops_contracts.errors import FlopsError
from flops_grid.errors import UserCodeError
from flops_grid.user_model import Evaluation, load_user_model

GOOD = """
import numpy as np

class ModelManager:
    def __init__(self): self.parameters = [np.zeros((2, 3)), np.float32(1), 4]
    def set_model_data(self): self.rows = 5
    def get_model(self): return "the model"
    def get_model_parameters(self): return self.parameters
    def set_model_parameters(self, parameters): self.parameters = parameters
    def fit_model(self): return self.rows
    def evaluate_model(self): return 0.5, np.float64(0.9), np.int64(3)
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads a ModelManager from source, under a name of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = iter(f"{tmp_path.name.replace('-', '_')}_{n}" for n in range(10))

    def load_source(source, extra=""):
        name = next(names)
        (tmp_path / f"{name}.py").write_text(source.lstrip() + extra)
        return load_user_model(name)

    return load_source


def test_a_good_manager_works(load):
    model = load(GOOD)
    model.load_data()
    model.set_parameters([np.ones(2)])

    assert model.fit({}) == 5
    assert model.evaluate() == Evaluation(0.5, 0.9, 3)
    assert model.model() == "the model"


def test_scalars_become_arrays_without_dimensions(load):
    shapes = [array.shape for array in load(GOOD).parameters()]

    assert shapes == [(2, 3), (), ()]


def test_fit_model_may_ask_for_the_config(load):
    model = load(GOOD, "    def fit_model(self, config): return config['rows']\n")

    assert model.fit({"rows": 7}) == 7


def test_metrics_that_are_not_numbers_are_reported_as_nan(load):
    model = load(GOOD, "    def evaluate_model(self): return float('nan'), 0.5, 1\n")

    assert math.isnan(model.evaluate().loss)


def test_a_missing_module_is_named():
    with pytest.raises(UserCodeError, match="no module no_such_module"):
        load_user_model("no_such_module")


def test_a_missing_class_is_named(load):
    with pytest.raises(UserCodeError, match="no class ModelManager"):
        load("x = 1\n")


def test_an_error_while_importing_has_its_line(load):
    with pytest.raises(UserCodeError, match="raised ZeroDivisionError") as raised:
        load("x = 1\ny = 1 / 0\n")

    assert raised.value.where.endswith(".py:2")


def test_a_syntax_error_has_its_line(load):
    with pytest.raises(UserCodeError, match="raised SyntaxError") as raised:
        load("x = 1\ny = = 2\n")

    assert raised.value.where.endswith(".py:2")


def test_an_error_in_a_library_is_located_in_the_users_code(load):
    model = load(GOOD, "    def fit_model(self):\n        return np.linalg.inv(np.zeros(9))\n")

    with pytest.raises(UserCodeError, match="fit_model raised LinAlgError") as raised:
        model.fit({})

    assert raised.value.where.endswith(".py:12")
    assert isinstance(raised.value.__cause__, np.linalg.LinAlgError)


def test_sys_exit_in_user_code_is_an_error_of_it(load):
    model = load(GOOD, "    def set_model_data(self): raise SystemExit('bye')\n")

    with pytest.raises(UserCodeError, match="set_model_data raised SystemExit: bye"):
        model.load_data()


def test_errors_of_flops_pass_through_user_code(load):
    source = (
        "    def set_model_data(self):\n        from flops_contracts.errors import FlopsError\n"
    )
    model = load(GOOD, source + "        raise FlopsError('no data')\n")

    with pytest.raises(FlopsError, match="no data") as raised:
        model.load_data()

    assert type(raised.value) is FlopsError


def test_a_missing_method_is_named(load):
    model = load("class ModelManager: pass\n")

    with pytest.raises(UserCodeError, match="no method fit_model"):
        model.fit({})


@pytest.mark.parametrize(
    ("method", "returned", "said"),
    [
        ("fit_model", "None", "the number of training samples, at least 1; it returned None"),
        ("fit_model", "0", "it returned 0"),
        ("fit_model", "True", "it returned True"),
        ("fit_model", "[1, 2]", r"it returned \(int, int\)"),
        ("evaluate_model", "0.5", "loss, accuracy and the number of samples"),
        ("evaluate_model", "(0.5, 'good', 3)", r"it returned \(float, str, int\)"),
        ("evaluate_model", "(0.5, 0.5, 0)", "the number of samples"),
        ("get_model_parameters", "np.zeros(3)", "a list of arrays; it returned a ndarray"),
        ("get_model_parameters", "['a']", "item 0 has the type <U1"),
        ("get_model_parameters", "[None]", "item 0 has the type object"),
    ],
)
def test_a_wrong_return_is_named_with_its_place(load, method, returned, said):
    model = load(GOOD, f"    def {method}(self): return {returned}\n")
    calls = {
        "fit_model": lambda: model.fit({}),
        "evaluate_model": model.evaluate,
        "get_model_parameters": model.parameters,
    }

    with pytest.raises(UserCodeError, match=said) as raised:
        calls[method]()

    assert raised.value.where.endswith(".py:11")

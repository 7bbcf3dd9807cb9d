"""One round of a repository with itself: what each method does wrong is one finding."""

import json

import numpy as np
import pytest

from flops_learner import made_up_rows, trial
from flops_utils.learner_dataset import learner_dataset

GOOD = """
import numpy as np

class ModelManager:
    def __init__(self):
        self.weights = np.zeros((2, 3), dtype=np.float32)
    def set_model_data(self):
        pass
    def get_model(self):
        return self
    def predict(self, x):
        return x
    def get_model_parameters(self):
        return [self.weights]
    def set_model_parameters(self, parameters):
        self.weights = parameters[0]
    def fit_model(self):
        self.weights = self.weights + 1
        return 7
    def evaluate_model(self):
        return 0.5, 0.9, 3
"""


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """Try a ModelManager with one thing changed; return the findings."""

    def tried(old="", new="", flavor=""):
        assert old in GOOD
        name = f"manager_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(GOOD.replace(old, new, 1) if old else GOOD)
        monkeypatch.syspath_prepend(str(tmp_path))
        return trial.findings(flavor, name)

    return tried


def test_a_good_one_passes_every_step(tried):
    findings = tried(flavor="sklearn")

    assert [item.is_ok for item in findings] == [True] * 5
    assert "7 samples" in findings[2].message
    assert json.loads(trial.as_json(findings))[0]["check"] == "methods"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("return [self.weights]", "return []", "returns no arrays"),
        ("        pass", "        self.weights = np.ones(4)", "other shapes after set_model_data"),
        ("self.weights = parameters[0]", "pass", "is not what get_model_parameters returns"),
        (
            "return [self.weights]",
            "return [self.weights] * (1 + bool(self.weights.any()))",
            "returns 2 arrays after set_model_parameters got 1",
        ),
        ("self.weights + 1", "self.weights[:1] + 1", "other shapes after fit_model"),
        ("self.weights + 1", "self.weights + np.nan", "infinite or not a number"),
        ("return 7", "return 0", "fit_model must return the number of training samples"),
        ("return 0.5, 0.9, 3", "return 0.5, 0.9", "evaluate_model must return"),
        ("        return self\n", "        return None\n", "get_model returned None"),
        ("        pass", "        raise KeyError('temperature')", "KeyError: 'temperature'"),
    ],
)
def test_what_is_wrong_ends_the_trial_with_a_finding(tried, old, new, said):
    findings = tried(old, new)

    assert said in findings[-1].message
    assert not findings[-1].is_ok
    assert all(item.is_ok for item in findings[:-1])


@pytest.mark.parametrize("flavor", ["pytorch", "keras", "tensorflow"])
def test_a_model_of_another_library_is_recognised(tried, flavor):
    findings = tried(flavor=flavor)

    assert f"the flavor {flavor} needs" in findings[-1].message


def test_made_up_rows_look_like_mnist():
    dataset = learner_dataset(made_up_rows.digits(), "0")
    dataset.set_format("numpy")

    assert np.asarray(dataset["image"]).shape == (400, 28, 28)
    assert set(np.asarray(dataset["label"])) == set(range(10))

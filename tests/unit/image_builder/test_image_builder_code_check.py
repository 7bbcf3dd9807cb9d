"""Checks of a repository that do not run its code."""

import pytest

from flops_image_builder.domain.checkout import facts_from_files
from flops_image_builder.domain.errors import RepositoryInvalidError

CONDA = "dependencies:\n  - pip:\n    - numpy\n"
MODEL_MANAGER = """\
from flops_utils.ml_repo_templates import ModelManagerTemplate


class ModelManager(ModelManagerTemplate):
    def get_model(self):
        return self.model

    def get_model_parameters(self):
        return [self.model.coef_]

    def set_model_parameters(self, parameters):
        self.model.coef_ = parameters[0]

    def set_model_data(self):
        self.rows = []

    def fit_model(self):
        return len(self.rows)

    def evaluate_model(self):
        return 0.1, 0.9, len(self.rows)
"""
DATA_MANAGER = """\
class DataManager:
    def _prepare_data(self):
        return 1

    def get_data(self):
        return 1, 2
"""


def a_repository(**changes):
    """Return the files of a good repository, with ``model_manager=...`` and so on changed."""
    files = {
        "conda.yaml": CONDA,
        "model_manager.py": MODEL_MANAGER,
        "data_manager.py": DATA_MANAGER,
    }
    named = {f"{name}.py": text for name, text in changes.items()}
    return {name: text for name, text in {**files, **named}.items() if text is not None}


def without(method):
    head, _, tail = MODEL_MANAGER.partition(f"    def {method}(")
    return head + "    def " + tail.partition("    def ")[2] if "    def " in tail else head


def refusal_of(files):
    with pytest.raises(RepositoryInvalidError) as caught:
        facts_from_files(files)
    return caught.value


def test_a_good_repository_passes():
    facts = facts_from_files(a_repository())

    assert facts.modules == ("model_manager", "data_manager")
    assert facts.notices == ()


def test_a_data_manager_is_not_demanded():
    assert facts_from_files(a_repository(data_manager=None)).modules == ("model_manager",)


def test_a_missing_model_manager_is_named():
    error = refusal_of(a_repository(model_manager=None))

    assert error.where == "model_manager.py"
    assert error.reason == "model_manager.py: is missing"


def test_a_missing_class_is_named():
    error = refusal_of(a_repository(model_manager="x = 1\n"))

    assert error.reason == "model_manager.py:1: has no class ModelManager"


def test_a_missing_method_is_named_with_the_line_of_its_class():
    error = refusal_of(a_repository(model_manager=without("fit_model")))

    assert error.where == "model_manager.py:4"
    assert error.reason == (
        "model_manager.py:4: class ModelManager has no method fit_model(self) -> int"
    )
    assert error.hint == "Write: def fit_model(self) -> int"


def test_all_problems_are_named_at_once():
    error = refusal_of(
        a_repository(
            model_manager=without("fit_model").replace("def get_model(", "def other("),
            data_manager="class DataManager:\n    pass\n",
            broken="def :\n",
        )
    )

    assert error.reason.startswith("5 problems: ")
    assert "broken.py:1: is not valid Python" in error.reason
    assert "has no method get_model(self)" in error.reason
    assert "data_manager.py:1: class DataManager has no method get_data(self)" in error.reason


def test_a_syntax_error_is_not_a_missing_class():
    error = refusal_of(a_repository(model_manager="class ModelManager\n"))

    assert error.where == "model_manager.py:1"
    assert "has no" not in error.reason


def test_methods_inherited_from_another_module_count():
    files = a_repository(
        model_manager="from parts.shared import Half as Base\n\n\nclass ModelManager(Base):\n"
        "    def fit_model(self):\n        return 1\n",
    )
    files["parts/shared.py"] = without("fit_model").replace("ModelManager(", "Half(")

    assert facts_from_files(files).modules == ("model_manager", "data_manager")


def test_a_class_that_is_only_imported_counts():
    files = a_repository(model_manager="from mine import ModelManager\n", mine=MODEL_MANAGER)

    assert facts_from_files(files).modules == ("model_manager", "data_manager")


def test_what_a_foreign_base_provides_is_left_open():
    text = "from somewhere import Base\n\n\nclass ModelManager(Base):\n    pass\n"

    assert facts_from_files(a_repository(model_manager=text)).notices == ()


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("def fit_model(self):", "def fit_model(self, epochs):", "requires 1 arguments"),
        ("return len(self.rows)\n\n", "pass\n\n", "fit_model returns nothing"),
        ("return len(self.rows)\n\n", "return 'done'\n\n", "fit_model returns 'done'"),
        ("return 0.1, 0.9, len(self.rows)", "return 0.1, 0.9", "evaluate_model returns (0.1, 0.9)"),
        ("return self.model\n", "return None\n", "get_model returns None"),
        ("(self, parameters)", "(self, parameters, more)", "requires 2 arguments"),
    ],
)
def test_a_method_that_cannot_work_is_named(good, bad, message):
    error = refusal_of(a_repository(model_manager=MODEL_MANAGER.replace(good, bad)))

    assert message in error.reason


@pytest.mark.parametrize(
    ("good", "also_good"),
    [
        ("def fit_model(self):", "def fit_model(self, config):"),
        ("def fit_model(self):", "def fit_model(self, epochs=3):"),
        ("return len(self.rows)\n\n", "raise NotImplementedError\n\n"),
        ("return 0.1, 0.9, len(self.rows)", "return [0.1, 0.9, 3]"),
        ("return 0.1, 0.9, len(self.rows)", "return *self.pair, 3"),
    ],
)
def test_what_can_work_passes(good, also_good):
    changed = MODEL_MANAGER.replace(good, also_good)

    assert facts_from_files(a_repository(model_manager=changed)).modules[0] == "model_manager"


def test_missing_dependencies_are_a_problem():
    files = a_repository()
    del files["conda.yaml"]

    assert "so the dependencies are unknown" in refusal_of(files).reason


def test_a_dockerfile_is_ignored_with_a_notice():
    files = {**a_repository(), "Dockerfile": "FROM scratch\n"}

    assert "Dockerfile is ignored" in facts_from_files(files).notices[0]


@pytest.mark.parametrize("line", ["import mlflow\n", "from mlflow.sklearn import log_model\n"])
def test_an_import_of_mlflow_is_seen(line):
    assert facts_from_files(a_repository(mine=line)).imports_mlflow


def test_a_module_of_a_similar_name_is_not_mlflow():
    assert not facts_from_files(a_repository(mine="import mlflow_like\n")).imports_mlflow

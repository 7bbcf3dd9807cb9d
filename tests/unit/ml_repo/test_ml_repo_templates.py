import inspect
import subprocess
import sys

import pytest

from flops_utils.ml_repo_templates import DataManagerTemplate, ModelManagerTemplate

PUBLIC = {
    DataManagerTemplate: {"_prepare_data": ["self"], "get_data": ["self"]},
    ModelManagerTemplate: {
        "set_model_data": ["self"],
        "get_model": ["self"],
        "get_model_parameters": ["self"],
        "set_model_parameters": ["self", "parameters"],
        "fit_model": ["self"],
        "evaluate_model": ["self"],
    },
}


@pytest.mark.parametrize("template", PUBLIC, ids=lambda template: template.__name__)
def test_the_templates_ask_for_exactly_the_public_methods(template):
    methods = {
        name: list(inspect.signature(getattr(template, name)).parameters)
        for name in template.__abstractmethods__
    }

    assert methods == PUBLIC[template]


def test_a_class_that_lacks_a_method_cannot_be_made():
    class Half(DataManagerTemplate):
        def get_data(self):
            return (), ()

    with pytest.raises(TypeError, match="_prepare_data"):
        Half()


def test_importing_what_repositories_import_loads_no_library_of_data():
    script = (
        "import flops_utils.ml_repo_templates, flops_utils.ml_repo_building_blocks, sys;"
        "print('datasets' in sys.modules)"
    )

    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )

    assert answer.stdout.strip() == "False"

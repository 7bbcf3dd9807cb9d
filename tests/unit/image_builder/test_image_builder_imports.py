"""Packages that code certainly imports from outside of its repository."""

from flops_image_builder.domain.imports import Import, outside_imports
from flops_image_builder.domain.sources import parse_sources


def imports(**files):
    sources, _ = parse_sources(
        {f"{name.replace('__', '/')}.py": text for name, text in files.items()}
    )
    return outside_imports(sources, ("model_manager", "data_manager"))


def test_packages_are_named_once_with_their_first_place():
    code = "import os\nimport numpy as np\nfrom numpy.linalg import norm\n"

    assert imports(model_manager=code) == (Import("numpy", "model_manager.py:2"),)


def test_modules_of_the_repository_are_followed():
    imported = imports(
        model_manager="from layers.dense import Dense\nimport helpers",
        layers__dense="import torch",
        helpers="import scipy",
        never_imported="import tensorflow",
    )

    assert {package.name for package in imported} == {"torch", "scipy"}


def test_what_may_never_run_is_not_counted():
    code = "try:\n    import fast\nexcept ImportError:\n    pass\ndef f():\n    import rare\n"

    assert imports(model_manager=code) == ()


def test_flops_own_packages_come_with_the_base_image():
    assert imports(model_manager="from flops_utils.ml_repo_templates import X") == ()


def test_relative_imports_stay_in_the_repository():
    assert imports(model_manager="from . import data_manager") == ()

"""uv's messages, as 0.12 writes them, become reasons with a place."""

import pytest

from flops_image_builder.domain.conda import from_conda_yaml
from flops_image_builder.domain.explanations import explain, named_packages

DEPENDENCIES = from_conda_yaml(
    "dependencies:\n  - pip:\n    - numpy==2.2.0\n    - tensorflow==2.15\n    - lern==1\n"
)
HEAD = "error: No solution found when resolving dependencies\n  cause: Because "
TAIL = ", we can conclude that your requirements are unsatisfiable.\n"
HINT = "\nhint: Wheels are required for `numpy` because building is disabled\n"
CONFLICT = (
    f"{HEAD}tensorflow==2.15.0 depends on numpy>=1.23.5,<2.0.0 and you require numpy==2.2.0, we "
    "can conclude that your requirements and tensorflow==2.15.0 are incompatible.\n"
    f"         And because you require tensorflow==2.15{TAIL}"
)


@pytest.mark.parametrize(
    ("message", "reason", "where"),
    [
        (
            f"{HEAD}lern was not found in the package registry and you require lern==1{TAIL}",
            "package 'lern' does not exist on the package index",
            "conda.yaml:5",
        ),
        (
            f"{HEAD}there is no version of numpy==2.2.0 and you require numpy==2.2.0{TAIL}",
            "there is no version 2.2.0 of package 'numpy'",
            "conda.yaml:3",
        ),
        (
            f"{HEAD}only numpy<=2.5.5 is available and you require numpy==3.99.*{TAIL}",
            "there is no version 3.99.* of package 'numpy'",
            "conda.yaml:3",
        ),
        (
            f"{HEAD}numpy==2.2.0 has no usable wheels and you require numpy==2.2.0{TAIL}{HINT}",
            "package 'numpy==2.2.0' has no wheel for Python 3.11 on this platform",
            "conda.yaml:3",
        ),
        (
            f"{HEAD}all versions of lern have no usable wheels and you require lern{TAIL}",
            "package 'lern' has no wheel for Python 3.11 on this platform",
            "conda.yaml:5",
        ),
    ],
)
def test_a_message_becomes_a_short_reason_with_its_place(message, reason, where):
    error = explain(message, DEPENDENCIES, "3.11")

    assert (error.reason, error.where) == (reason, where)


def test_a_conflict_names_both_sides_and_no_proof():
    error = explain(CONFLICT, DEPENDENCIES, "3.11")

    assert error.reason.startswith(
        "the dependencies contradict each other: tensorflow==2.15.0 depends on "
        "numpy>=1.23.5,<2.0.0 and you require numpy==2.2.0"
    )
    assert "unsatisfiable" not in error.reason
    assert error.where == "conda.yaml:3"


def test_a_package_that_only_conda_has_comes_with_the_way_out():
    message = f"{HEAD}lern was not found in the package registry and you require lern==1{TAIL}"

    assert "list it under 'pip:'" in explain(message, DEPENDENCIES, "3.11").hint


def test_packages_are_found_in_a_message():
    assert {"tensorflow", "numpy"} <= named_packages(CONFLICT)

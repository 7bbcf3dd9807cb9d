import pytest

from flops_image_builder.domain.conda import (
    UnreadableSpecError,
    from_conda_yaml,
    requirement_from_spec,
)

PUBLIC = """\
name: sample
dependencies:
  - python=3.10.14
  - pip<=24.0
  - conda-forge::scipy=1.13.0
  - pip:
      - mlflow==2.12.1
      - numpy==1.26.4
"""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("numpy", "numpy"),
        ("numpy=1.26.4", "numpy==1.26.4"),
        ("numpy==1.26", "numpy==1.26"),
        ("numpy=1.26", "numpy==1.26.*"),
        ("numpy 1.26.4", "numpy==1.26.4"),
        ("numpy=1.26.*", "numpy==1.26.*"),
        ("numpy=1.26.4=py311h0_0", "numpy==1.26.4"),
        ("numpy 1.26.4 py311h0_0", "numpy==1.26.4"),
        ("numpy>=1.26,<2", "numpy<2,>=1.26"),
        ("numpy >=1.26, <2", "numpy<2,>=1.26"),
        ("conda-forge::numpy=1.26.4", "numpy==1.26.4"),
        ("pytorch=2.4.0", "torch==2.4.0"),
    ],
)
def test_a_conda_spec_means_the_same_to_pip(spec, expected):
    assert requirement_from_spec(spec) == expected


@pytest.mark.parametrize("spec", ["numpy 1.26|1.27", "=1.2", "numpy=1.2=py3=x=y"])
def test_what_pip_cannot_say_is_refused(spec):
    with pytest.raises(UnreadableSpecError):
        requirement_from_spec(spec)


def test_requirements_come_from_both_lists_with_their_lines():
    lines = from_conda_yaml(PUBLIC).lines

    assert [(line.requirement, line.where) for line in lines] == [
        ("scipy==1.13.0", "conda.yaml:5"),
        ("mlflow==2.12.1", "conda.yaml:7"),
        ("numpy==1.26.4", "conda.yaml:8"),
    ]


def test_the_python_version_is_not_a_package():
    assert from_conda_yaml(PUBLIC).python == "==3.10.14"


def test_a_wrong_spec_is_a_problem_with_its_line():
    problems = from_conda_yaml("dependencies:\n  - numpy\n  - scipy 1|2\n").problems

    assert [problem.where for problem in problems] == ["conda.yaml:3"]


@pytest.mark.parametrize("text", ["dependencies: [", "name: x", "- just a list", ""])
def test_anything_but_an_environment_is_one_problem(text):
    assert len(from_conda_yaml(text).problems) == 1

from flops_image_builder.domain.requirements import (
    from_pyproject,
    from_requirements_txt,
    without_own_packages,
)

PROJECT = """\
[project]
name = "sample"
requires-python = ">=3.12"
dependencies = [
    "numpy>=2",
    "mlflow",
]
"""

UV_LOCK = """\
[[package]]
name = "numpy"
version = "2.2.0"
source = { registry = "https://index.example/simple" }

[[package]]
name = "sample"
version = "0.1.0"
source = { virtual = "." }

[[package]]
name = "forked"
version = "1.0"
source = { registry = "https://index.example/simple" }

[[package]]
name = "forked"
version = "2.0"
source = { registry = "https://index.example/simple" }
"""


def test_comments_hashes_and_continued_lines_are_understood():
    text = "# all we need\nnumpy==2.2.0 \\\n    --hash=sha256:aa\n\nscipy>=1.13  # newest\n"

    lines = from_requirements_txt(text).lines

    assert [(line.requirement, line.where) for line in lines] == [
        ("numpy==2.2.0", "requirements.txt:2"),
        ("scipy>=1.13", "requirements.txt:5"),
    ]
    assert [line.hashes for line in lines] == [("sha256:aa",), ()]


def test_an_index_is_ignored_with_a_notice():
    notices = from_requirements_txt("--extra-index-url https://x.example\nnumpy\n").notices

    assert len(notices) == 1
    assert notices[0].startswith("requirements.txt:1: '--extra-index-url")


def test_a_path_is_a_problem():
    problems = from_requirements_txt("numpy\n-e .\n").problems

    assert [problem.where for problem in problems] == ["requirements.txt:2"]


def test_nonsense_is_a_problem():
    problems = from_requirements_txt("numpy === = 2\n").problems

    assert [problem.where for problem in problems] == ["requirements.txt:1"]


def test_a_project_table_is_read():
    dependencies = from_pyproject(PROJECT)

    assert dependencies.requirements == ("numpy>=2", "mlflow")
    assert dependencies.python == ">=3.12"
    assert dependencies.where("numpy") == "pyproject.toml:5"


def test_a_lock_beside_it_pins_what_has_one_version_on_an_index():
    assert from_pyproject(PROJECT, UV_LOCK).locked == ("numpy==2.2.0",)


def test_a_project_without_a_table_is_a_problem():
    assert len(from_pyproject("[tool.poetry]\n").problems) == 1


def test_broken_toml_is_a_problem():
    assert len(from_pyproject("[project\n").problems) == 1


def test_packages_that_flops_provides_are_ignored_with_a_notice():
    dependencies = without_own_packages(from_pyproject(PROJECT))

    assert dependencies.requirements == ("numpy>=2",)
    assert dependencies.notices == (
        "pyproject.toml:6: 'mlflow' is ignored: FLOps installs its own mlflow",
    )

"""Files as other tools and other machines write them: understood, or refused for what they are."""

import codecs

import pytest

from flops_image_builder.domain.checkout import examine
from flops_image_builder.domain.conda import from_conda_yaml
from flops_image_builder.domain.errors import DependenciesUnresolvableError
from flops_image_builder.domain.explanations import explain
from flops_image_builder.domain.locks import lock_from_text
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.requirements import from_pyproject, from_requirements_txt
from flops_image_builder.domain.texts import LFS_POINTER, text_of
from flops_image_builder.ports import ResolutionFailedError
from flops_image_builder.usecases.resolving import Resolving

MANAGER = """
class ModelManager:
    def get_model(self): return self
    def get_model_parameters(self): return self.parameters
    def set_model_parameters(self, parameters): ...
    def set_model_data(self): ...
    def fit_model(self): return self.count
    def evaluate_model(self): return self.loss, self.accuracy, self.count
"""
POINTER = f"{LFS_POINTER}v1\noid sha256:{'0' * 64}\nsize 12\n"


def problems_of(files):
    """Return the problems of a repository that is a good one but for ``files``."""
    return examine({"model_manager.py": MANAGER, "requirements.txt": "numpy\n", **files})[1]


def requirements(dependencies):
    assert dependencies.problems == ()
    return dependencies.requirements


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_dependency_file_is_read_in_every_encoding_with_a_mark(mark, encoding):
    content = mark + "# f\u00fcr uns\r\nnumpy==2.2.0\r\nscipy\r\n".encode(encoding)

    text = text_of("requirements.txt", content)

    assert requirements(from_requirements_txt(text)) == ("numpy==2.2.0", "scipy")


def test_a_module_with_a_mark_is_python_and_one_in_utf_16_is_not():
    marked = text_of("model_manager.py", codecs.BOM_UTF8 + MANAGER.encode())
    wide = text_of("model_manager.py", codecs.BOM_UTF16_LE + MANAGER.encode("utf-16-le"))

    assert problems_of({"model_manager.py": marked}) == []
    (problem,) = problems_of({"model_manager.py": wide})
    assert str(problem) == "model_manager.py:1: is not UTF-8, which Python needs"


def test_conda_exports_lose_what_only_conda_has():
    export = """
name: base
channels: [conda-forge]
dependencies:
  - _libgcc_mutex=0.1=conda_forge
  - _openmp_mutex=4.5=2_gnu
  - ld_impl_linux-64=2.40=h55db66e_0
  - libgcc-ng=13.2.0=h77fa898_7
  - openssl=3.3.0=h4ab18f5_3
  - python=3.11.9=hb806964_0_cpython
  - numpy=1.26.4=py311h64a7726_0
  - pip:
      - scikit-learn==1.5.0
prefix: /home/ada/miniforge3
"""
    dependencies = from_conda_yaml(export, "environment.yml")

    assert requirements(dependencies) == ("numpy==1.26.4", "scikit-learn==1.5.0")
    assert dependencies.python == "==3.11.9"


@pytest.mark.parametrize("name", ["environment.yml", "environment.yaml"])
def test_an_environment_file_of_conda_is_found(name):
    files = {"model_manager.py": MANAGER, name: "dependencies: [numpy=2.2.0]"}

    facts, problems = examine(files)

    assert problems == []
    assert facts.dependencies.requirements == ("numpy==2.2.0",)


def test_mlflows_environment_file_is_read():
    text = "python: 3.11.5\nbuild_dependencies:\n- pip\ndependencies:\n- numpy==2.2.0\n- scipy\n"

    facts, problems = examine({"model_manager.py": MANAGER, "python_env.yaml": text})

    assert problems == []
    assert facts.dependencies.requirements == ("numpy==2.2.0", "scipy")
    assert facts.dependencies.python == "==3.11.5"


def test_what_mlflows_environment_file_refers_to_is_named():
    text = "python: 3.11.5\ndependencies:\n- -r requirements.txt\n"

    _, problems = examine({"model_manager.py": MANAGER, "python_env.yaml": text})

    assert [str(problem) for problem in problems] == [
        "python_env.yaml:3: '-r requirements.txt' is not supported"
    ]


def test_dynamic_dependencies_are_refused_as_such():
    text = '[project]\nname = "x"\ndynamic = ["version", "dependencies"]\n'

    (problem,) = from_pyproject(text).problems

    assert str(problem).startswith("pyproject.toml:3: has dynamic dependencies")
    assert from_pyproject(text.replace(', "dependencies"', "")).problems == ()


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (
            "git+https://git.example/six.git@1.16.0",
            "does not say which package it is",
            "NAME @ git+https://git.example/six.git@1.16.0",
        ),
        (
            "https://files.example/six-1.16.0.tar.gz",
            "does not say which package it is",
            "NAME @ https://files.example",
        ),
        (
            "numpy @ file:///croot/numpy_17086/work/dist/numpy-1.26.4-cp311-cp311-linux_x86_64.whl",
            "is a path of the machine that wrote this file",
            "numpy==1.26.4",
        ),
        (
            "numpy @ file:///home/ada/numpy",
            "is a path of the machine that wrote this file",
            "numpy==<version>",
        ),
    ],
)
def test_a_line_that_means_something_elsewhere_is_refused_for_what_it_is(line, message, hint):
    (problem,) = from_requirements_txt(f"scipy\n{line}\n").problems

    assert problem.where == "requirements.txt:2"
    assert message in problem.message
    assert hint in problem.hint


def test_a_url_that_names_its_package_is_taken():
    text = "git+https://git.example/six.git@1.16.0#egg=six\n"

    assert requirements(from_requirements_txt(text)) == (
        "six@ git+https://git.example/six.git@1.16.0",
    )


LOCK = """\
numpy==2.2.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
scipy==1.13.0 \\
    --hash=sha256:cc
"""


class FixedIndex:
    """An index from which everything resolves to the same lock, unless ``failure`` is set."""

    def __init__(self, failure=""):
        self.failure = failure

    def resolve(self, requirements, *_):
        if self.failure and len(requirements) > 1:
            raise ResolutionFailedError(self.failure)
        return lock_from_text(LOCK)


PYTHON = Interpreter("3.11.9", "linux/amd64")


def test_hashes_of_a_requirements_file_leave_only_their_files():
    users = from_requirements_txt("numpy==2.2.0 --hash=sha256:bb --hash=sha256:old\n")

    lock = Resolving(FixedIndex(), PYTHON).together(users, ("flwr",)).lock

    assert lock.entries["numpy"] == "numpy==2.2.0 \\\n    --hash=sha256:bb"
    assert lock.hashes("scipy") == {"sha256:cc"}


def test_hashes_that_no_file_of_the_index_has_are_an_error_at_their_line():
    users = from_requirements_txt("scipy\nnumpy==2.2.0 --hash=sha256:other\n")

    with pytest.raises(DependenciesUnresolvableError, match=r"no file of numpy==2\.2\.0") as raised:
        Resolving(FixedIndex(), PYTHON).together(users, ("flwr",))

    assert raised.value.where == "requirements.txt:2"


def test_a_pin_below_what_flowers_messages_need_is_found_when_resolving():
    users = from_requirements_txt("protobuf==3.20.3\n")
    failure = "Because flwr==1.42.0 depends on protobuf>=5 and you require protobuf==3.20.3, "

    with pytest.raises(DependenciesUnresolvableError, match="protobuf") as raised:
        Resolving(FixedIndex(f"{failure}we can conclude"), PYTHON).together(users, ("flwr",))

    assert "FLOps' own packages need other versions" in raised.value.hint
    assert raised.value.where == "requirements.txt:1"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "cause: Git operation failed: failed to fetch https://127.0.0.1:9/six.git",
            "the source of a package cannot be fetched",
        ),
        ("error: the moon is full", "the dependencies cannot be resolved: error: the moon"),
        (
            "Because a needs b>2 and you require b<1, we can conclude that nothing fits.",
            "the dependencies contradict each other: a needs b>2",
        ),
    ],
)
def test_only_a_contradiction_is_called_one(message, reason):
    error = explain(message, from_requirements_txt("six\n"), "3.11")

    assert error.reason.startswith(reason)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("random.py", "hides the module 'random' of Python's standard library"),
        ("calendar/__init__.py", "hides the module 'calendar'"),
        ("datasets/__init__.py", "hides the package 'datasets', which FLOps' actors need"),
        ("numpy.py", "hides the package 'numpy'"),
    ],
)
def test_a_name_that_hides_another_is_a_problem(path, message):
    (problem,) = problems_of({path: "x = 1\n"})

    assert problem.where == path
    assert message in problem.message


@pytest.mark.parametrize(
    "path", ["test/__init__.py", "lib/random.py", "datasets/load.py", "randoms.py", "random.txt"]
)
def test_names_that_hide_nothing_are_fine(path):
    assert problems_of({path: "x = 1\n"}) == []


def test_a_module_or_dependency_file_in_lfs_is_a_problem_and_other_files_are_a_notice():
    files = {"model_manager.py": POINTER, "requirements.txt": POINTER, "weights.h5": POINTER}

    facts, problems = examine(files)

    assert [str(problem) for problem in problems] == [
        "model_manager.py: is a pointer to Git LFS, not the file itself",
        "requirements.txt: is a pointer to Git LFS, not the file itself",
    ]
    assert facts.notices[0].startswith("weights.h5 is a pointer to Git LFS")


SUBMODULES = '[submodule "layers"]\n\tpath = layers\n\turl = https://git.example/layers.git\n'


def test_a_submodule_that_is_imported_is_a_problem_and_another_a_notice():
    imported = {"model_manager.py": f"import layers\n{MANAGER}", ".gitmodules": SUBMODULES}

    (problem,) = problems_of(imported)
    facts, problems = examine(
        {"model_manager.py": MANAGER, "requirements.txt": "", ".gitmodules": SUBMODULES}
    )

    assert str(problem) == (
        "model_manager.py:1: imports 'layers', a git submodule, which FLOps does not fetch"
    )
    assert (problems, facts.notices) == ([], ("the git submodule layers is not fetched",))

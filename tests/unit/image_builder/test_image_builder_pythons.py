import pytest

from flops_image_builder.domain.errors import PythonMissingError
from flops_image_builder.domain.pythons import Interpreter, choose_python, preferred_minors


def machine_with(*minors):
    """Return a ``find`` of a machine that has these Pythons."""
    pythons = {minor: Interpreter(f"3.{minor}.4", f"/bin/python3.{minor}") for minor in minors}
    return pythons.get


@pytest.mark.parametrize(
    ("requested", "own", "expected"),
    [
        ("==3.10.14", 12, (11, 12, 13)),
        ("==3.14.*", 11, (13, 12, 11)),
        ("==3.12.*", 11, (12, 11, 13)),
        (">=3.9", 12, (12, 11, 13)),
        (">=3.12", 11, (12, 13, 11)),
        ("<3.12", 13, (11, 12, 13)),
        ("", 13, (13, 12, 11)),
        ("nonsense", 12, (12, 11, 13)),
    ],
)
def test_the_nearest_supported_version_comes_first(requested, own, expected):
    assert preferred_minors(requested, own) == expected


def test_the_requested_version_needs_no_notice():
    python, notice = choose_python("==3.12.*", 11, machine_with(11, 12))

    assert (python.version, notice) == ("3.12.4", "")


def test_another_version_is_taken_with_a_notice():
    python, notice = choose_python("==3.10.14", 13, machine_with(12))

    assert python.version == "3.12.4"
    assert "asks for Python 3.10.14; its actors run on 3.12.4" in notice


def test_a_machine_without_a_supported_python_is_an_error():
    with pytest.raises(PythonMissingError):
        choose_python("", 11, machine_with())

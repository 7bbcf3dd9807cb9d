"""Files are removed from packages, and a library loads without its symbols."""

import ctypes
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from flops_image_builder.adapters.slimming import cut_symbols, slim


@pytest.fixture
def library(tmp_path):
    """A library with symbols: one of those that pyarrow ships."""
    source = next(Path(pa.__file__).parent.glob("libarrow_acero.so.*"))
    return Path(shutil.copy(source, tmp_path))


def test_a_library_without_symbols_is_smaller_and_loads(library):
    before = library.stat().st_size

    cut_symbols(library)

    assert library.stat().st_size < before
    # The same libraries, found by name, are loaded already.
    assert ctypes.CDLL(str(library))


def test_cutting_twice_changes_nothing(library):
    cut_symbols(library)
    content = library.read_bytes()

    cut_symbols(library)

    assert library.read_bytes() == content


def test_a_file_that_is_not_a_library_stays_as_it_is(tmp_path):
    file = tmp_path / "x.so"
    file.write_bytes(b"not an ELF file at all, but long enough for the header of one" * 2)
    content = file.read_bytes()

    cut_symbols(file)

    assert file.read_bytes() == content


def test_only_what_nothing_imports_is_removed(tmp_path):
    for name in (
        "bin/flwr",
        "numpy/tests/test_a.py",
        "numpy/core/tests/test_b.py",
        "numpy/core/fast.pyx",
        "numpy/core/fast.py",
        "numpy/core/fast.pyi",
        "numpy/core/include/fast.h",
        "mine/tests/__init__.py",
        "a-1.dist-info/sboms/a.json",
        "a-1.dist-info/METADATA",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    slim(tmp_path)

    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"numpy/core/fast.py", "mine/tests/__init__.py", "a-1.dist-info/METADATA"}


def test_a_library_that_two_packages_brought_is_kept_once(tmp_path):
    for package in ("numpy.libs", "scipy.libs"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "libgfortran-1.so.5").write_text("the same")

    slim(tmp_path)

    second = tmp_path / "scipy.libs/libgfortran-1.so.5"
    assert str(second.readlink()) == "../numpy.libs/libgfortran-1.so.5"
    assert second.read_text() == "the same"

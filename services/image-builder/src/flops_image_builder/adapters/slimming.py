"""Removes files that no process reads from installed packages: edge nodes pull the images."""

import os
import shutil
import struct
from hashlib import sha256
from pathlib import Path
from typing import Final

# Their ``tests`` folders are imported by nothing else; in other packages that is not certain.
_TESTED: Final = (
    *("certifi", "dill", "fsspec", "multiprocess", "numpy", "pandas", "pyarrow", "scipy"),
    "sklearn",
)
# Files for compilers, type checkers and debuggers.
_SOURCES: Final = frozenset(
    {".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".map", ".pxd", ".pxi", ".pyi", ".pyx", ".tp"}
)
_FOLDERS: Final = (
    *("bin", "*.dist-info/sboms", "pyarrow/include", "pyarrow/src"),
    *("Crypto/SelfTest", "joblib/test"),
)
# Copies of libraries under names that nothing loads, and pyarrow's own tests.
_FILES: Final = (
    "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.*.*",
    "pyarrow/_pyarrow_cpp_tests*.so",
)
_ELF_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER: Final = struct.Struct("<IIQQQQQQ")


def slim(site: Path) -> None:
    """Remove tests, sources of compiled modules, bills of materials and symbols for debuggers."""
    tests = [f"{package}/**/tests" for package in _TESTED]
    for pattern in (*_FOLDERS, *tests):
        for folder in sorted(site.glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)
    for file in [path for pattern in _FILES for path in site.glob(pattern)]:
        file.unlink()
    for file in [path for path in site.rglob("*") if path.is_file() and not path.is_symlink()]:
        if file.suffix in _SOURCES:
            file.unlink()
        elif ".so" in file.suffixes:
            cut_symbols(file)
    link_equal_libraries(site)


def link_equal_libraries(site: Path) -> None:
    """Keep one copy of each library that several packages contain; link the others to it."""
    first_copies: dict[bytes, Path] = {}
    for file in sorted(site.glob("*.libs/*.so*")):
        if not file.is_symlink():
            first = first_copies.setdefault(sha256(file.read_bytes()).digest(), file)
            if first is not file:
                file.unlink()
                file.symlink_to(os.path.relpath(first, file.parent))


def cut_symbols(file: Path) -> None:
    """Truncate a shared library after the last part that is loaded.

    Tools such as ``strip`` move parts, which breaks libraries that were patched before; here
    every loaded byte stays where it was, whatever machine the library is for.
    """
    with file.open("r+b") as handle:
        header = handle.read(_ELF_HEADER.size)
        if len(header) < _ELF_HEADER.size or header[:6] != b"\x7fELF\x02\x01":
            return
        fields = list(_ELF_HEADER.unpack(header))
        offset, size, count = fields[5], fields[9], fields[10]
        handle.seek(offset)
        table = handle.read(size * count)
        parts = [_PROGRAM_HEADER.unpack_from(table, size * number) for number in range(count)]
        end = max([offset + size * count, *(part[2] + part[5] for part in parts)])
        if end >= file.stat().st_size:
            return
        # Clear the section table: its offset, its count and the index of its names.
        fields[6] = fields[12] = fields[13] = 0
        handle.seek(0)
        handle.write(_ELF_HEADER.pack(*fields))
        handle.truncate(end)

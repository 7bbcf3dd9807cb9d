"""Reproducible image layers of copied files: equal files give equal layers."""

import gzip
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any, Final, Protocol

_LEFT_OUT: Final = frozenset({".git", "__pycache__"})


@dataclass(frozen=True)
class Layer:
    """A layer in a file: its digests, packed and unpacked, and its packed size."""

    file: Path
    digest: str
    diff_id: str
    size: int


class SupportsWrite(Protocol):
    """A target for bytes."""

    def write(self, data: Any, /) -> Any:
        """Write all of ``data``."""


class _Hashed(RawIOBase):
    """A file that computes the digest of the bytes written to it."""

    def __init__(self, target: SupportsWrite) -> None:
        super().__init__()
        self._target = target
        self._sha = sha256()

    def write(self, data: Any) -> int:
        self._sha.update(data)
        self._target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha.hexdigest()}"


def write_layer(
    target: Path, root: str, folders: Mapping[str, Path], files: Mapping[str, str]
) -> Layer:
    """Pack ``folders`` and ``files`` by their names below ``root``, owned by root."""
    with target.open("wb") as raw:
        packed = _Hashed(raw)
        # No file name and no time: both would become part of the layer.
        with gzip.GzipFile("", "wb", mtime=0, fileobj=packed) as zipped:
            plain = _Hashed(zipped)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for name in sorted(folders):
                    _add_tree(archive, f"{root}/{name}".lstrip("/"), folders[name])
                for name in sorted(files):
                    _add_text(archive, f"{root}/{name}".lstrip("/"), files[name])
    return Layer(target, packed.digest, plain.digest, target.stat().st_size)


def _add_tree(archive: tarfile.TarFile, name: str, folder: Path) -> None:
    for path in _walk(folder):
        relative = path.relative_to(folder).as_posix()
        member = archive.gettarinfo(path, name if relative == "." else f"{name}/{relative}")
        # A hard link becomes a file: its other name may not be part of the layer.
        if path.is_file() and not path.is_symlink():
            member.type, member.linkname, member.size = tarfile.REGTYPE, "", path.stat().st_size
        if not (member.isreg() or member.isdir() or member.issym()):
            continue
        _neutral(member, is_executable=member.isdir() or os.access(path, os.X_OK))
        if member.isreg():
            with path.open("rb") as content:
                archive.addfile(member, content)
        else:
            archive.addfile(member)


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    _neutral(member, is_executable=False)
    archive.addfile(member, BytesIO(content))


def _neutral(member: tarfile.TarInfo, *, is_executable: bool) -> None:
    """Make it owned by root, readable by everybody, and without a time."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if is_executable else 0o644


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT_OUT:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path

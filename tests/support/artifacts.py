"""Artifacts in a folder of this machine."""

from collections.abc import Mapping
from pathlib import Path


class FolderArtifacts:
    """``Artifacts`` in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sizes(self) -> Mapping[str, int]:
        return {file.name: file.stat().st_size for file in self._folder.iterdir()}

    def put(self, path: Path) -> None:
        (self._folder / path.name).write_bytes(path.read_bytes())

    def get(self, name: str, folder: Path) -> Path:
        (folder / name).write_bytes((self._folder / name).read_bytes())
        return folder / name

    def delete(self, name: str) -> None:
        (self._folder / name).unlink()

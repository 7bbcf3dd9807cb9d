"""Checkpoints among the artifacts of a run: written so that a half of one is never taken for whole.

A file is stored under a new name, and then a small manifest beside it with its size and checksum.
Only what has a manifest that fits counts; the two newest are kept.
"""

import hashlib
import json
import logging
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from flops_aggregator.checkpoints.files import Checkpoint, UnreadableCheckpointError, read, write

logger = logging.getLogger(__name__)

KEPT: Final = 2
DATA, MANIFEST = ".npz", ".json"


class Artifacts(Protocol):
    """A folder of files somewhere else."""

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file by its name."""

    def put(self, path: Path) -> None:
        """Store a file under its own name."""

    def get(self, name: str, folder: Path) -> Path:
        """Fetch a file into ``folder``."""

    def delete(self, name: str) -> None:
        """Remove a file."""


class FolderArtifacts:
    """``Artifacts`` in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file by its name."""
        return {one.name: one.stat().st_size for one in self._folder.iterdir()}

    def put(self, path: Path) -> None:
        """Store a file under its own name."""
        (self._folder / path.name).write_bytes(path.read_bytes())

    def get(self, name: str, folder: Path) -> Path:
        """Fetch a file into ``folder``."""
        (folder / name).write_bytes((self._folder / name).read_bytes())
        return folder / name

    def delete(self, name: str) -> None:
        """Remove a file."""
        (self._folder / name).unlink()


class CheckpointStore:
    """Raises what its artifacts raise."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    def save(self, checkpoint: Checkpoint) -> None:
        """Store it for good, then let go of older ones."""
        stem = f"{checkpoint.number:08d}-{uuid.uuid4().hex[:8]}"
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
            data = Path(folder) / f"{stem}{DATA}"
            write(checkpoint, data)
            manifest = data.with_suffix(MANIFEST)
            manifest.write_text(json.dumps({"bytes": data.stat().st_size, "sha256": _digest(data)}))
            self._artifacts.put(data)
            self._artifacts.put(manifest)
        self._prune(KEPT)

    def latest(self, notice: Callable[[str], None]) -> Checkpoint | None:
        """Return the newest whole checkpoint; ``notice`` is told of each that is not whole."""
        sizes = self._artifacts.sizes()
        for stem in _stems(sizes):
            try:
                return self._read(stem, sizes)
            except UnreadableCheckpointError as error:
                notice(f"Checkpoint {stem} cannot be used, the one before it may be: {error}")
        return None

    def clear(self) -> None:
        """Remove all of them."""
        self._prune(0)

    def _read(self, stem: str, sizes: Mapping[str, int]) -> Checkpoint:
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as name:
            folder = Path(name)
            manifest = self._artifacts.get(f"{stem}{MANIFEST}", folder)
            try:
                promised = json.loads(manifest.read_bytes())
                size, digest = promised["bytes"], promised["sha256"]
            except (ValueError, KeyError, TypeError) as error:
                raise UnreadableCheckpointError("its manifest is torn") from error
            if sizes.get(f"{stem}{DATA}") != size:
                raise UnreadableCheckpointError("its file is not there as a whole")
            data = self._artifacts.get(f"{stem}{DATA}", folder)
            if _digest(data) != digest:
                raise UnreadableCheckpointError("its file has another checksum")
            return read(data)

    def _prune(self, kept: int) -> None:
        sizes = self._artifacts.sizes()
        stems = set(_stems(sizes)[:kept])
        # Manifests first: a file without one is nothing, the other way round is a torn checkpoint.
        for name in sorted(sizes, key=lambda one: (not one.endswith(MANIFEST), one)):
            if name.rpartition(".")[0] not in stems:
                self._artifacts.delete(name)


def _stems(sizes: Mapping[str, int]) -> list[str]:
    """Return the names that have a manifest, the newest first."""
    return sorted(one.removesuffix(MANIFEST) for one in sizes if one.endswith(MANIFEST))[::-1]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

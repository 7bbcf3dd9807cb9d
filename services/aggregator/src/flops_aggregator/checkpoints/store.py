"""Checkpoints among the artifacts of a run; a partly written one is never used.

A file is stored under a new name, then a small manifest beside it with its size and checksum. Only
a file that matches its manifest counts; the two newest are kept.
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

KEPT_CHECKPOINTS: Final = 2
DATA, MANIFEST = ".npz", ".json"


class Artifacts(Protocol):
    """A folder of files on a server."""

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each file by its name."""

    def put(self, path: Path) -> None:
        """Store a file under its own name."""

    def get(self, name: str, folder: Path) -> Path:
        """Fetch a file into ``folder``."""

    def delete(self, name: str) -> None:
        """Remove a file."""


class CheckpointStore:
    """Stores checkpoints in ``artifacts``; raises what these raise."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    def save(self, checkpoint: Checkpoint) -> None:
        """Store it, then delete older ones."""
        stem = f"{checkpoint.number:08d}-{uuid.uuid4().hex[:8]}"
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
            data = Path(folder) / f"{stem}{DATA}"
            write(checkpoint, data)
            manifest = data.with_suffix(MANIFEST)
            manifest.write_text(json.dumps({"bytes": data.stat().st_size, "sha256": _digest(data)}))
            self._artifacts.put(data)
            self._artifacts.put(manifest)
        self._prune(KEPT_CHECKPOINTS)

    def latest(self, notice: Callable[[str], None]) -> Checkpoint | None:
        """Return the newest complete checkpoint; ``notice`` is called for each unreadable one."""
        sizes = self._artifacts.sizes()
        for stem in _stems(sizes):
            try:
                return self._read(stem, sizes)
            except UnreadableCheckpointError as error:
                notice(f"Checkpoint {stem} cannot be used, trying the one before it: {error}")
        return None

    def clear(self) -> None:
        """Remove all of them."""
        self._prune(0)

    def _read(self, stem: str, sizes: Mapping[str, int]) -> Checkpoint:
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as name:
            folder = Path(name)
            manifest = self._artifacts.get(f"{stem}{MANIFEST}", folder)
            try:
                document = json.loads(manifest.read_bytes())
                size, digest = document["bytes"], document["sha256"]
            except (ValueError, KeyError, TypeError) as error:
                raise UnreadableCheckpointError("its manifest is damaged") from error
            if sizes.get(f"{stem}{DATA}") != size:
                raise UnreadableCheckpointError("its file is missing or incomplete")
            data = self._artifacts.get(f"{stem}{DATA}", folder)
            if _digest(data) != digest:
                raise UnreadableCheckpointError("its file has another checksum")
            return read(data)

    def _prune(self, newest: int) -> None:
        sizes = self._artifacts.sizes()
        stems = set(_stems(sizes)[:newest])
        # Manifests first: a file without a manifest is ignored, a manifest without its file is not.
        for name in sorted(sizes, key=lambda name: (not name.endswith(MANIFEST), name)):
            if name.rpartition(".")[0] not in stems:
                self._artifacts.delete(name)


def _stems(sizes: Mapping[str, int]) -> list[str]:
    """Return the names that have a manifest, the newest first."""
    return sorted(name.removesuffix(MANIFEST) for name in sizes if name.endswith(MANIFEST))[::-1]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

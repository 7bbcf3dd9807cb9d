"""A checkpoint, from which another aggregator can continue a training, and its file.

The file is NumPy's ``npz`` without pickle: arrays by number, and one array with the JSON that
describes them. An array that is used twice, such as the best round's parameters, is stored once.
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from flwr.app import Array, ArrayRecord

from flops_aggregator.checkpoints.best_model import RoundModel
from flops_aggregator.checkpoints.strategy_state import State
from flops_aggregator.replies.folding import is_large
from flops_contracts.events import RoundCompleted
from flops_grid.messages.file_memory import moved_to_files, pieces_of
from flops_grid.messages.records import record_of

FORMAT: Final = 1
STATE: Final = "state"


class UnreadableCheckpointError(Exception):
    """The file is not a complete checkpoint of this format."""


@dataclass(frozen=True)
class Checkpoint:
    """The training after ``round`` of ``cycle``; at a root ``cycle`` is 1.

    ``number`` counts rounds over all cycles. ``before`` is the state of a cluster's strategy at the
    start of the cycle, and ``request`` the id of the parent's message that started the cycle.
    """

    number: int
    round: int
    arrays: ArrayRecord
    cycle: int = 1
    strategy: State = field(default_factory=dict)
    before: State = field(default_factory=dict)
    best: RoundModel | None = None
    history: tuple[RoundCompleted, ...] = ()
    samples: tuple[float, ...] = ()
    first_train_loss: float | None = None
    request: str = ""
    random: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """The checkpoint that a training continues from, and what stores the later ones."""

    since: Checkpoint | None = None
    keep: Callable[[Checkpoint], None] = lambda _: None


NO_MEMORY: Final = Memory()


class ReleaseBook(Protocol):
    """Records how many private results left the aggregators of a training."""

    def releases(self) -> int:
        """Return the number so far, also by earlier aggregators."""

    def note_releases(self, count: int) -> None:
        """Record the number, and return when it is stored."""


class CheckpointBook(ReleaseBook, Protocol):
    """Stores what another aggregator needs to continue a training."""

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the last checkpoint of an earlier aggregator, if there is one."""

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Store it in the background."""


class _ArrayTable:
    """Numbers arrays; those that share their bytes in memory get the same number."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._numbers: dict[int, str] = {}

    def put(self, record: ArrayRecord) -> list[list[str]]:
        return [[key, self._number(array)] for key, array in record.items()]

    def _number(self, array: Array) -> str:
        same = id(array.data)
        if same not in self._numbers:
            self._numbers[same] = number = str(len(self._numbers))
            self.arrays[number] = array
        return self._numbers[same]


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Write ``checkpoint`` to a new file."""
    table, best = _ArrayTable(), checkpoint.best
    document = {
        "format": FORMAT,
        "number": checkpoint.number,
        "round": checkpoint.round,
        "cycle": checkpoint.cycle,
        "arrays": table.put(checkpoint.arrays),
        "strategy": {name: table.put(arrays) for name, arrays in checkpoint.strategy.items()},
        "before": {name: table.put(arrays) for name, arrays in checkpoint.before.items()},
        "best": best and {**vars(best), "arrays": table.put(best.arrays)},
        "history": [asdict(completed) for completed in checkpoint.history],
        "samples": checkpoint.samples,
        "first_train_loss": checkpoint.first_train_loss,
        "request": checkpoint.request,
        "random": checkpoint.random,
    }
    table.arrays[STATE] = Array(np.frombuffer(json.dumps(document).encode(), np.uint8))
    # The bytes of Flower's arrays are ``.npy`` files already, and are stored as they are.
    with zipfile.ZipFile(path, "x") as file:
        for name, array in table.arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                for piece in pieces_of(array):
                    member.write(piece)


def read(path: Path) -> Checkpoint:
    """Return the checkpoint in a file; raise ``UnreadableCheckpointError``."""
    try:
        with np.load(path, allow_pickle=False) as file:
            document = json.loads(file[STATE].tobytes())
            if document.pop("format") != FORMAT:
                raise UnreadableCheckpointError("it has another format")
            arrays = ArrayRecord({key: Array(file[key]) for key in file.files if key != STATE})
        if is_large(arrays):
            arrays = moved_to_files(arrays)
        return _from_document(document, arrays)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UnreadableCheckpointError(f"{type(error).__name__}: {error}") from error


def _from_document(document: dict[str, Any], arrays: Mapping[str, Array]) -> Checkpoint:
    def record(listed: list[list[str]]) -> ArrayRecord:
        return record_of({key: arrays[number] for key, number in listed})

    best = document["best"]
    return Checkpoint(
        **{
            **document,
            "arrays": record(document["arrays"]),
            "strategy": {name: record(listed) for name, listed in document["strategy"].items()},
            "before": {name: record(listed) for name, listed in document["before"].items()},
            "best": best and RoundModel(**{**best, "arrays": record(best["arrays"])}),
            "history": tuple(map(_round, document["history"])),
            "samples": tuple(document["samples"]),
        }
    )


def _round(document: dict[str, Any]) -> RoundCompleted:
    return RoundCompleted(**{**document, "learners": ()})

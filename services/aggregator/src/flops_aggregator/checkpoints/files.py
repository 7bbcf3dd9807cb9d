"""What is kept of a training so that another aggregator can go on with it, and its file.

The file is NumPy's ``npz`` without pickle: arrays by number, and one with the JSON that says what
they are. An array that several things share, such as the best round's parameters, is in it once.
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord

from flops_aggregator.checkpoints.best_model import RoundModel
from flops_aggregator.checkpoints.strategy_state import Kept
from flops_aggregator.replies.folding import is_large
from flops_contracts.events import RoundCompleted
from flops_grid.messages.file_memory import moved_to_files, pieces_of
from flops_grid.messages.records import record_of

FORMAT: Final = 1
STATE: Final = "state"


class UnreadableCheckpointError(Exception):
    """A file that is no whole checkpoint of this format."""


@dataclass(frozen=True)
class Checkpoint:
    """The training after ``round`` of ``cycle``; at a root ``cycle`` is 1.

    ``number`` counts rounds over all cycles. ``before`` is what a cluster's strategy knew when the
    cycle began, and ``request`` the parent's message that the cycle answers.
    """

    number: int
    round: int
    arrays: ArrayRecord
    cycle: int = 1
    strategy: Kept = field(default_factory=dict)
    before: Kept = field(default_factory=dict)
    best: RoundModel | None = None
    history: tuple[RoundCompleted, ...] = ()
    samples: tuple[float, ...] = ()
    first_train_loss: float | None = None
    request: str = ""
    random: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """What a training goes on from, and who keeps what it takes to go on after each round."""

    since: Checkpoint | None = None
    keep: Callable[[Checkpoint], None] = lambda _: None


NO_MEMORY: Final = Memory()


class _Shelf:
    """Arrays by number; those with the same bytes, not only equal ones, get the same."""

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
    shelf, best = _Shelf(), checkpoint.best
    document = {
        "format": FORMAT,
        "number": checkpoint.number,
        "round": checkpoint.round,
        "cycle": checkpoint.cycle,
        "arrays": shelf.put(checkpoint.arrays),
        "strategy": {name: shelf.put(one) for name, one in checkpoint.strategy.items()},
        "before": {name: shelf.put(one) for name, one in checkpoint.before.items()},
        "best": best and {**vars(best), "arrays": shelf.put(best.arrays)},
        "history": [asdict(one) for one in checkpoint.history],
        "samples": checkpoint.samples,
        "first_train_loss": checkpoint.first_train_loss,
        "request": checkpoint.request,
        "random": checkpoint.random,
    }
    shelf.arrays[STATE] = Array(np.frombuffer(json.dumps(document).encode(), np.uint8))
    # What Flower has of an array is a ``.npy`` file already: it is in the file as it is in memory.
    with zipfile.ZipFile(path, "x") as file:
        for name, array in shelf.arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                for piece in pieces_of(array):
                    member.write(piece)


def read(path: Path) -> Checkpoint:
    """Return the checkpoint in a file; raise ``UnreadableCheckpointError``."""
    try:
        with np.load(path, allow_pickle=False) as found:
            document = json.loads(found[STATE].tobytes())
            if document.pop("format") != FORMAT:
                raise UnreadableCheckpointError("it has another format")
            shelf = ArrayRecord({one: Array(found[one]) for one in found.files if one != STATE})
        if is_large(shelf):
            shelf = moved_to_files(shelf)
        return _from_document(document, shelf)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UnreadableCheckpointError(f"{type(error).__name__}: {error}") from error


def _from_document(document: dict[str, Any], shelf: Mapping[str, Array]) -> Checkpoint:
    def record(listed: list[list[str]]) -> ArrayRecord:
        return record_of({key: shelf[number] for key, number in listed})

    best = document["best"]
    return Checkpoint(
        **{
            **document,
            "arrays": record(document["arrays"]),
            "strategy": {name: record(one) for name, one in document["strategy"].items()},
            "before": {name: record(one) for name, one in document["before"].items()},
            "best": best and RoundModel(**{**best, "arrays": record(best["arrays"])}),
            "history": tuple(_round(one) for one in document["history"]),
            "samples": tuple(document["samples"]),
        }
    )


def _round(document: dict[str, Any]) -> RoundCompleted:
    return RoundCompleted(**{**document, "learners": ()})

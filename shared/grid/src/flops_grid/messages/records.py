"""What aggregator and learners call the things in a message, and how parameters get in and out."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from numpy.typing import NDArray

from flops_grid.messages.file_memory import FileMemory, array_in

ARRAYS: Final = "arrays"
CONFIG: Final = "config"
METRICS: Final = "metrics"

SAMPLES: Final = "num-examples"
LOSS: Final = "loss"
ACCURACY: Final = "accuracy"
TRAIN_LOSS: Final = "train_loss"
FIT_SECONDS: Final = "fit-seconds"
EVALUATE_SECONDS: Final = "evaluate-seconds"

WANTS_TRAIN_LOSS: Final = "wants-train-loss"
"""Key of the training config: report the loss of the parameters as they came (q-FedAvg)."""

INTERNAL: Final = "flops."
"""How those keys of a config begin that are meant for aggregators, not for the user's code."""

EXCHANGE: Final = f"{INTERNAL}exchange"
"""Which exchange with its clients the sender is at, from 1; to an aggregator it is the cycle."""

RUN: Final = f"{INTERNAL}run"
"""The sender's run in MLflow, for those of its clients to be nested in; empty if not known yet."""

TRACE: Final = f"{INTERNAL}trace"
"""The traceparent of the round that the message is part of, where traces are on."""

Parameters = list[NDArray[Any]]


def arrays_of(content: RecordDict) -> ArrayRecord | None:
    """Return the parameters in a message.

    Flower's ``content.array_records`` would tie a knot of references that keeps all of it in memory
    until Python looks for knots, which it seldom does for few large things.
    """
    found = content.get(ARRAYS)
    return found if isinstance(found, ArrayRecord) else None


def metrics_in(content: RecordDict) -> MetricRecord | None:
    """Return the metrics in a message."""
    found = content.get(METRICS)
    return found if isinstance(found, MetricRecord) else None


def config_in(content: RecordDict) -> ConfigRecord:
    """Return the config in a message, an empty one if there is none."""
    found = content.get(CONFIG)
    return found if isinstance(found, ConfigRecord) else ConfigRecord()


def arrays_from_parameters(parameters: Parameters) -> ArrayRecord:
    """Return parameters of any numeric type and shape as a record, in order."""
    return ArrayRecord([np.asarray(one) for one in parameters])


def record_of(arrays: Mapping[str, Array]) -> ArrayRecord:
    """Return these very arrays as a record; Flower's constructor refuses those in files."""
    record = ArrayRecord()
    for key, array in arrays.items():
        record[key] = array
    return record


def parameters_from_arrays(arrays: ArrayRecord) -> Parameters:
    """Return the arrays in order; each is a copy of its own and may be written to."""
    return [array_view(array).copy("K") for array in arrays.values()]


NUMPY: Final = "numpy.ndarray"
"""What Flower calls arrays whose bytes are those of a ``.npy`` file."""

HEADER_BYTES: Final = 2 + 8 + 65_535
"""The longest that a header of this version may be, with what says so."""

PIECE: Final = 1 << 18


def array_view(array: Array) -> NDArray[Any]:
    """Return the values of ``array`` where they lie, to read only; Flower's ``numpy`` copies them.

    Raises ``ValueError`` or ``TypeError`` for what is no array of plain values.
    """
    if array.stype != NUMPY:
        raise TypeError(f"an array is serialised as {array.stype}")
    # Of what lies in a file, no more than the header is copied.
    head = BytesIO(array.data[:HEADER_BYTES])
    version = np.lib.format.read_magic(head)
    if version != (1, 0):
        return array.numpy()
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(head)
    if dtype.hasobject:
        raise ValueError("an array holds objects")
    values = np.frombuffer(array.data, dtype, int(np.prod(shape)), head.tell())
    return values.reshape(shape, order="F" if is_fortran else "C")


def pieces(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut an array of any shape into flat pieces, in the order of its indices."""
    flat = values.reshape(-1)
    yield from (flat[i : i + PIECE] for i in range(0, flat.size, PIECE))


class EmptyArray:
    """Zeros that become an ``Array`` without being copied once more; they lie in ``memory``."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], memory: FileMemory) -> None:
        file = BytesIO()
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
        count = int(np.prod(shape))
        self._place = memory.take(file.tell() + count * dtype.itemsize)
        self._place[: file.tell()] = file.getvalue()
        self._dtype, self._shape = dtype, shape
        values = np.frombuffer(self._place, dtype, count, file.tell())
        self.values: NDArray[Any] = values.reshape(shape)

    def finished(self) -> Array:
        """Return what is in ``values`` by now, which nobody else may hold any more."""
        del self.values
        return array_in(self._place, str(self._dtype), self._shape, NUMPY)

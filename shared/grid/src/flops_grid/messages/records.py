"""The names of the records in a message, and conversions of parameters to and from them."""

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
"""The prefix of config keys that are not passed to the user's code."""

EXCHANGE: Final = f"{INTERNAL}exchange"
"""The number of the sender's exchange with its clients, from 1; the cycle of an aggregator."""

RUN: Final = f"{INTERNAL}run"
"""The sender's run in MLflow, in which its clients nest theirs; empty if not known yet."""

TRACE: Final = f"{INTERNAL}trace"
"""The traceparent of the round that the message is part of, where traces are on."""

Parameters = list[NDArray[Any]]


def arrays_of(content: RecordDict) -> ArrayRecord | None:
    """Return the parameters in a message.

    Flower's ``content.array_records`` makes a reference cycle that keeps the parameters in memory
    until Python collects garbage, which it seldom does for few large objects.
    """
    record = content.get(ARRAYS)
    return record if isinstance(record, ArrayRecord) else None


def metrics_in(content: RecordDict) -> MetricRecord | None:
    """Return the metrics in a message."""
    record = content.get(METRICS)
    return record if isinstance(record, MetricRecord) else None


def config_in(content: RecordDict) -> ConfigRecord:
    """Return the config in a message, an empty one if there is none."""
    record = content.get(CONFIG)
    return record if isinstance(record, ConfigRecord) else ConfigRecord()


def arrays_from_parameters(parameters: Parameters) -> ArrayRecord:
    """Return parameters of any numeric type and shape as a record, in order."""
    return ArrayRecord([np.asarray(array) for array in parameters])


def record_of(arrays: Mapping[str, Array]) -> ArrayRecord:
    """Return a record of the same arrays; Flower's constructor refuses arrays in files."""
    record = ArrayRecord()
    for key, array in arrays.items():
        record[key] = array
    return record


def parameters_from_arrays(arrays: ArrayRecord) -> Parameters:
    """Return writable copies of the arrays, in order."""
    return [array_view(array).copy("K") for array in arrays.values()]


NUMPY: Final = "numpy.ndarray"
"""Flower's name for arrays whose bytes are those of a ``.npy`` file."""

HEADER_BYTES: Final = 2 + 8 + 65_535
"""The greatest length of a header of version 1.0, with magic and length field."""

PIECE: Final = 1 << 18


def array_view(array: Array) -> NDArray[Any]:
    """Return a read-only view of the values of ``array``; Flower's ``numpy`` copies them.

    Raises ``ValueError`` or ``TypeError`` for anything but an array of plain values.
    """
    if array.stype != NUMPY:
        raise TypeError(f"an array is serialised as {array.stype}")
    # Only the header is copied from memory that is backed by a file.
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
    """Split an array of any shape into flat pieces, in the order of its indices."""
    flat = values.reshape(-1)
    yield from (flat[i : i + PIECE] for i in range(0, flat.size, PIECE))


class EmptyArray:
    """Zeros in ``memory`` that become an ``Array`` without a copy."""

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
        """Return ``values`` as an array; nobody else may hold them any more."""
        del self.values
        return array_in(self._place, str(self._dtype), self._shape, NUMPY)

"""What a strategy and the random numbers know after a round, to go on from there.

Flower's strategies have no state but what is named here; a test compares each of them with one that
was never interrupted.
"""

import random
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_grid.messages.records import Parameters

Kept = Mapping[str, ArrayRecord]
"""The arrays of each attribute that is kept; all three forms of them in Flower become records."""

# What the others hold is made anew in each round from the parameters.
KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "FedAdagrad": ("m_t", "v_t"),
    "FedAdam": ("m_t", "v_t"),
    "FedAvgM": ("current_arrays", "momentum_vector"),
    "FedYogi": ("m_t", "v_t"),
}
LISTS: Final = frozenset({"momentum_vector"})
RECORDS: Final = frozenset({"current_arrays"})


def kept_of(strategy: Strategy, name: str) -> Kept:
    """Return what ``strategy``, Flower's ``name``, has learnt; nothing is copied."""
    values = {one: getattr(strategy, one) for one in KEPT.get(name, ())}
    return {one: _record(value) for one, value in values.items() if value is not None}


def give(strategy: Strategy, name: str, kept: Kept) -> None:
    """Let ``strategy`` know this and nothing else."""
    for one in KEPT.get(name, ()):
        setattr(strategy, one, _as_attribute(one, kept[one]) if one in kept else None)


def random_state() -> dict[str, Any]:
    """Return the states of Python's and NumPy's generators, as JSON has them."""
    version, words, gauss = random.getstate()
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - what user code may draw from
    inner = state["state"]
    return {
        "python": [version, list(words), gauss],
        "numpy": {
            "bit_generator": state["bit_generator"],
            "state": {"key": [int(word) for word in inner["key"]], "pos": int(inner["pos"])},
            "has_gauss": int(state["has_gauss"]),
            "gauss": float(state["gauss"]),
        },
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Let both generators go on from ``state``."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    inner = state["numpy"]["state"]
    words_of_numpy = np.asarray(inner["key"], np.uint32)
    numpy_state = {**state["numpy"], "state": {**inner, "key": words_of_numpy}}
    np.random.set_state(numpy_state)  # noqa: NPY002 - see above


def _record(value: Any) -> ArrayRecord:
    if isinstance(value, ArrayRecord):
        return value
    named: Mapping[str, Any] = (
        value if isinstance(value, Mapping) else {str(n): one for n, one in enumerate(value)}
    )
    return ArrayRecord({key: Array(np.asarray(one)) for key, one in named.items()})


def _as_attribute(name: str, record: ArrayRecord) -> ArrayRecord | Parameters | dict[str, Any]:
    if name in RECORDS:
        return record
    if name in LISTS:
        return record.to_numpy_ndarrays()
    return {key: array.numpy() for key, array in record.items()}

"""The state of a strategy and of the random generators after a round.

Flower's strategies have no state but the attributes listed here; a test compares each strategy with
one that was never interrupted.
"""

import random
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy

from flops_grid.messages.records import Parameters

State = Mapping[str, ArrayRecord]
"""The arrays of each attribute; all three forms that Flower uses become records."""

# Other attributes are computed in each round from the parameters.
ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "FedAdagrad": ("m_t", "v_t"),
    "FedAdam": ("m_t", "v_t"),
    "FedAvgM": ("current_arrays", "momentum_vector"),
    "FedYogi": ("m_t", "v_t"),
}
LISTS: Final = frozenset({"momentum_vector"})
RECORDS: Final = frozenset({"current_arrays"})


def state_of(strategy: Strategy, name: str) -> State:
    """Return the state of ``strategy``, Flower's ``name``; nothing is copied."""
    values = {key: getattr(strategy, key) for key in ATTRIBUTES.get(name, ())}
    return {key: _record(value) for key, value in values.items() if value is not None}


def restore_state(strategy: Strategy, name: str, state: State) -> None:
    """Replace the state of ``strategy``."""
    for key in ATTRIBUTES.get(name, ()):
        setattr(strategy, key, _as_attribute(key, state[key]) if key in state else None)


def random_state() -> dict[str, Any]:
    """Return the states of Python's and NumPy's generators as JSON values."""
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
    """Continue both generators from ``state``."""
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
        value if isinstance(value, Mapping) else {str(n): array for n, array in enumerate(value)}
    )
    return ArrayRecord({key: Array(np.asarray(array)) for key, array in named.items()})


def _as_attribute(name: str, record: ArrayRecord) -> ArrayRecord | Parameters | dict[str, Any]:
    if name in RECORDS:
        return record
    if name in LISTS:
        return record.to_numpy_ndarrays()
    return {key: array.numpy() for key, array in record.items()}

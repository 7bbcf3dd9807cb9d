"""Separate random generators for learners that share a process.

A real learner has a process, and so generators, of its own. Here the states of its generators are
set before each of its steps, and saved after it.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

State = tuple[Any, ...]


def state() -> State:
    """Return the states of Python's and NumPy's generators, and PyTorch's if it is in use."""
    torch = sys.modules.get("torch")
    return (
        random.getstate(),
        np.random.get_state(),  # noqa: NPY002 - what user code may draw from
        torch.get_rng_state() if torch else None,
    )


def set_state(saved: State) -> None:
    """Continue the generators from ``saved``."""
    of_python, of_numpy, of_torch = saved
    random.setstate(of_python)
    np.random.set_state(of_numpy)  # noqa: NPY002 - see above
    if of_torch is not None:
        sys.modules["torch"].set_rng_state(of_torch)


def seed(number: int) -> None:
    """Seed all generators."""
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002 - see above
    # The first draw renews all words of a state; the next ones leave them, see ``is_seeded``.
    random.random()
    np.random.random()  # noqa: NPY002 - see above
    torch: Any = sys.modules.get("torch")
    if torch:
        torch.manual_seed(number)


class Generators:
    """The generators of one learner; ``start`` is their first state."""

    def __init__(self, start: State) -> None:
        self._state = start

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Use the learner's generators for the length of a block."""
        set_state(self._state)
        try:
            yield
        finally:
            self._state = state()


def seeded(number: int) -> State:
    """Return the states after ``seed``, without changing the generators."""
    before = state()
    seed(number)
    made = state()
    set_state(before)
    return made


def is_seeded(before: State, after: State) -> bool:
    """Return whether a generator was seeded in between, not only used a few times."""
    # Python's and NumPy's are Mersenne twisters: 624 words that a few draws do not change.
    words = [(saved[0][1][:624], tuple(saved[1][1])) for saved in (before, after)]
    return words[0] != words[1]

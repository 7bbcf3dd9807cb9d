"""Random numbers of a learner's own, though it shares a process with others.

In a process of its own a learner draws from generators that nobody else draws from. Here their
states are put in place before each step of a learner, and taken away after it.
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


def set_state(wanted: State) -> None:
    """Let the generators go on from ``wanted``."""
    of_python, of_numpy, of_torch = wanted
    random.setstate(of_python)
    np.random.set_state(of_numpy)  # noqa: NPY002 - see above
    if of_torch is not None:
        sys.modules["torch"].set_rng_state(of_torch)


def seed(number: int) -> None:
    """Let all of them begin anew."""
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002 - see above
    # The first draw renews all words of a state; the next ones leave them, see ``is_seeded``.
    random.random()
    np.random.random()  # noqa: NPY002 - see above
    torch: Any = sys.modules.get("torch")
    if torch:
        torch.manual_seed(number)


class Generators:
    """One learner's; ``start`` is where they begin."""

    def __init__(self, start: State) -> None:
        self._state = start

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the learner's generators in place for the length of a block."""
        set_state(self._state)
        try:
            yield
        finally:
            self._state = state()


def seeded(number: int) -> State:
    """Return the states that ``seed`` would make, and leave all as it is."""
    before = state()
    seed(number)
    made = state()
    set_state(before)
    return made


def is_seeded(before: State, after: State) -> bool:
    """Say whether one of them was seeded in between, not only drawn from a few times."""
    # Python's and NumPy's are Mersenne twisters: 624 words that a few draws do not change.
    words = [(one[0][1][:624], tuple(one[1][1])) for one in (before, after)]
    return words[0] != words[1]

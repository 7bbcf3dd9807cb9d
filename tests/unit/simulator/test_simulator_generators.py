"""Random numbers of each learner's own in one process."""

import random
from contextlib import suppress

import numpy as np
import pytest

from flops_simulator.generators import Generators, is_seeded, seed, seeded, set_state, state


@pytest.fixture(autouse=True)
def _leaves_the_generators_as_they_were():
    before = state()
    yield
    set_state(before)


def drawn():
    return random.random(), np.random.random()  # noqa: NPY002 - what user code does


def test_learners_that_take_turns_draw_as_if_each_were_alone():
    alone = []
    for number in (1, 2):
        seed(number)
        alone.append([drawn() for _ in range(3)])

    both = [Generators(seeded(number)) for number in (1, 2)]
    turns = [[], []]
    for _ in range(3):
        for own, numbers in zip(both, turns, strict=True):
            with own.in_use():
                numbers.append(drawn())

    assert turns == alone


def test_a_learner_that_raises_goes_on_where_it_was():
    own = Generators(seeded(1))
    with suppress(ZeroDivisionError), own.in_use():
        drawn()
        raise ZeroDivisionError
    seed(1)
    drawn()
    expected = drawn()

    with own.in_use():
        assert drawn() == expected


def test_making_a_state_changes_none():
    seed(5)
    expected = drawn()
    seed(5)

    seeded(9)

    assert drawn() == expected


@pytest.mark.parametrize(
    ("act", "is_told"),
    [
        (lambda: np.random.seed(42), True),  # noqa: NPY002 - what user code does
        (lambda: random.seed(42), True),
        (drawn, False),
        (lambda: None, False),
    ],
)
def test_seeding_is_distinguished_from_drawing(act, is_told):
    seed(3)
    before = state()

    act()

    assert is_seeded(before, state()) is is_told

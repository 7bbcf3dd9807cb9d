"""What an aggregator has in memory, as the operating system counts it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODEL_BYTES = 20_000_000
TESTS = Path(__file__).parents[2]


def a_crowd(*arguments):
    command = [sys.executable, "-m", "support.crowd", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TESTS, text=True)


def led(learners, rounds):
    """Return what a leader tells at its end."""
    floats = MODEL_BYTES // 4
    with a_crowd("lead", "--learners", learners, "--floats", floats, "--rounds", rounds) as lead:
        with a_crowd("learn", "--port", lead.stdout.readline(), "--learners", learners) as learn:
            told = json.loads(lead.stdout.readline())
            learn.wait(60)
        assert lead.wait(60) == 0
    return told


@pytest.mark.parametrize(("learners", "rounds"), [(4, 3), (16, 2), (64, 1)])
def test_an_aggregator_has_three_models_in_memory_at_most_however_many_learners(learners, rounds):
    told = led(learners, rounds)

    # What the process and a line need besides does not depend on the size of the model.
    assert told["peak"] - told["before"] <= 3 * MODEL_BYTES + 16_000_000 + learners * 500_000
    assert told["is_mean"]

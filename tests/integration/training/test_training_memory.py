"""The memory of an aggregator, as the operating system counts it."""

import pytest

from support.crowd import led

MODEL_BYTES = 40_000_000


@pytest.mark.parametrize(("learners", "rounds"), [(4, 3), (16, 2), (64, 1)])
def test_an_aggregator_has_three_models_in_memory_at_most_however_many_learners(learners, rounds):
    result = led(learners, MODEL_BYTES // 4, rounds)

    # What the process and a line need besides does not depend on the size of the model: 13 MB and
    # 0.3 MB a line, more on a busy machine. A fourth model would show.
    besides = MODEL_BYTES // 2 + learners * 500_000
    assert result["peak"] - result["before"] <= 3 * MODEL_BYTES + besides
    assert result["is_mean"]

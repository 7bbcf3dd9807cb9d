"""The memory of an aggregator, as the operating system counts it."""

import pytest

from support.crowd import led

# Many learners have a smaller model, as it would take too long otherwise.
SIZES = [(4, 40_000_000, 3), (32, 20_000_000, 1)]


@pytest.mark.parametrize(("learners", "model_bytes", "rounds"), SIZES)
def test_an_aggregator_has_three_models_in_memory_at_most_however_many_learners(
    learners, model_bytes, rounds
):
    result = led(learners, model_bytes // 4, rounds)

    # The process needs 13 MB and 0.3 MB a line besides, whatever the size of the model, more on a
    # busy machine. A fourth large model would show, and so would a small one of each learner.
    besides = 20_000_000 + learners * 500_000
    assert result["peak"] - result["before"] <= 3 * model_bytes + besides
    assert result["is_mean"]

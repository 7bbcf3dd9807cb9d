"""Models that are large in earnest; ``make test-slow`` runs it."""

import pytest

from support.crowd import led


@pytest.mark.parametrize(
    ("learners", "model_bytes", "rounds"),
    [(2, 1_000_000_000, 2), (64, 100_000_000, 1)],
    ids=["1-GB-of-parameters", "100-MB-and-64-learners"],
)
def test_three_models_are_in_memory_at_most(learners, model_bytes, rounds):
    measured = led(learners, model_bytes // 4, rounds)

    assert measured["peak"] - measured["before"] <= 3 * model_bytes
    assert measured["is_mean"]

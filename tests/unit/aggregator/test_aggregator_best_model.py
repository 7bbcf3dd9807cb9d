"""The choice of the best round."""

import math
from functools import reduce

import pytest
from flwr.app import ArrayRecord
from hypothesis import given
from hypothesis import strategies as st

from flops_aggregator.checkpoints.best_model import RoundModel, is_better
from flops_contracts.sla import HIGHEST_ACCURACY, BestBy, Direction, Metric

METRIC = st.one_of(st.none(), st.floats())
METRICS = st.lists(st.tuples(METRIC, METRIC), max_size=8)


def rounds(*metrics):
    """Return a model per (accuracy, loss), rounds counted from 1."""
    return [
        RoundModel(number, ArrayRecord(), loss, accuracy)
        for number, (accuracy, loss) in enumerate(metrics, start=1)
    ]


def best_of(models, rule=HIGHEST_ACCURACY):
    """Return the last one when each in turn may replace the best so far, as after every round."""
    return reduce(lambda best, item: item if is_better(item, best, rule) else best, models, None)


@pytest.mark.parametrize(
    ("metrics", "winner"),
    [
        ([(0.5, 1.0), (0.9, 2.0), (0.7, 0.1)], 2),
        ([(0.9, 2.0), (0.9, 1.0), (0.9, 3.0)], 2),
        ([(0.9, 1.0), (0.9, 1.0)], 1),
        ([(math.nan, 0.1), (0.1, 9.0)], 2),
        ([(0.99, math.nan), (0.5, 1.0)], 2),
        ([(0.99, None), (0.5, 1.0)], 2),
        ([(0.5, None), (0.9, None)], 2),
        ([(None, 2.0), (None, 1.0)], 2),
    ],
)
def test_the_best_round_has_the_highest_accuracy_then_the_lowest_loss(metrics, winner):
    assert best_of(rounds(*metrics)).round == winner


@pytest.mark.parametrize(
    ("rule", "metrics", "winner"),
    [
        (BestBy(Metric.LOSS, Direction.MIN), [(0.5, 1.0), (0.9, 2.0), (0.7, 0.1)], 3),
        (BestBy(Metric.LOSS, Direction.MIN), [(0.5, 1.0), (0.9, 1.0)], 2),
        (BestBy(Metric.LOSS, Direction.MIN), [(0.5, math.nan), (0.1, 9.0)], 2),
        (BestBy(Metric.LOSS, Direction.MIN), [(None, 2.0), (None, 1.0)], 2),
        (BestBy(Metric.LOSS, Direction.MIN), [(0.5, -math.inf), (0.5, 1.0)], 2),
        # An "accuracy" that is an error, say, and a "loss" that is a score.
        (BestBy(Metric.ACCURACY, Direction.MIN), [(0.5, 1.0), (0.2, 9.0)], 2),
        (BestBy(Metric.ACCURACY, Direction.MIN), [(0.2, 9.0), (0.2, 1.0)], 2),
        (BestBy(Metric.LOSS, Direction.MAX), [(0.5, 1.0), (0.9, 2.0), (0.9, 0.1)], 2),
    ],
)
def test_the_best_round_is_found_by_the_rule_that_was_asked_for(rule, metrics, winner):
    assert best_of(rounds(*metrics), rule).round == winner


def test_rounds_without_any_number_have_no_winner():
    assert best_of(rounds((math.nan, math.inf), (None, None))) is None


@given(METRICS)
def test_nobody_is_better_than_the_winner(metrics):
    models = rounds(*metrics)
    best = best_of(models)

    assert not any(is_better(model, best) for model in models)


@given(METRICS)
def test_a_winner_has_a_metric_that_is_a_number(metrics):
    winners = filter(None, [best_of(rounds(*metrics))])

    for model in winners:
        assert any(math.isfinite(n) for n in (model.loss, model.accuracy) if n is not None)

"""Means over learners."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flops_aggregator.replies.means import weighted_mean

VALUES = st.floats(-1e6, 1e6)
WEIGHTS = st.floats(1e-3, 1e6)


def test_the_mean_weighs_each_learner_by_its_samples():
    assert weighted_mean([(1.0, 10), (4.0, 30)]) == pytest.approx(3.25)


def test_nobody_has_no_mean():
    assert weighted_mean([]) is None


def test_no_weight_gives_no_mean():
    assert weighted_mean([(1.0, 0)]) is None


def test_one_learners_nan_is_not_hidden():
    assert weighted_mean([(math.nan, 1), (1.0, 1000)]) is None


@given(st.lists(st.tuples(VALUES, WEIGHTS), min_size=1))
def test_the_mean_lies_between_the_extremes(pairs):
    values = [value for value, _ in pairs]

    mean = weighted_mean(pairs)

    assert min(values) - 1e-6 <= mean <= max(values) + 1e-6

"""Replies that are added up as they arrive."""

import tracemalloc

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg, FedMedian, FedProx
from hypothesis import given, settings
from hypothesis import strategies as st

from flops_aggregator.replies.folding import Fold, fold_for
from flops_grid.messages.flower_internals import take_identity


def a_record(*arrays):
    return ArrayRecord([np.asarray(array) for array in arrays])


def mean_of(weighted):
    fold = Fold(a_record(*weighted[0][1]))
    for weight, arrays in weighted:
        fold.add(weight, a_record(*arrays))
    return fold.mean().to_numpy_ndarrays()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_a_float32_mean_equals_a_float64_reference_to_a_millionth(learners, seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=(learners, 1000)).astype(np.float32)
    weights = random.integers(1, 5000, learners)

    (mean,) = mean_of([(float(w), [row]) for w, row in zip(weights, values, strict=True)])

    reference = np.average(values.astype(np.float64), axis=0, weights=weights)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, reference, rtol=0, atol=1e-6 * np.abs(values).max())


@pytest.mark.parametrize("learners", [4, 16, 64])
def test_memory_is_flat_however_many_learners_reply(learners):
    take_identity()
    sent = a_record(np.zeros(500_000, np.float32))
    fold = Fold(sent)
    tracemalloc.start()
    try:
        for _ in range(learners):
            metrics = MetricRecord({"num-examples": 10})
            content = RecordDict({"arrays": a_record(np.ones(500_000, np.float32))})
            content["metrics"] = metrics
            fold.take(Message(content, 5, "train"))
        fold.mean()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The sum, and here two replies: each is made, and copied when it becomes a message.
    assert peak < 5.5 * 500_000 * 4


def test_a_thousand_equal_replies_add_up_to_a_millionth_of_each_number():
    take_identity()
    row = np.random.default_rng(7).normal(size=1000).astype(np.float32)
    fold = Fold(a_record(row))
    for _ in range(1000):
        content = {"arrays": a_record(row), "metrics": MetricRecord({"num-examples": 3})}
        fold.take(Message(RecordDict(content), 5, "train"))

    (mean,) = fold.mean().to_numpy_ndarrays()

    np.testing.assert_allclose(mean, row, rtol=1e-6)


def test_whole_numbers_that_all_agree_on_stay_and_others_are_averaged():
    same, differs = mean_of([(1.0, [np.array(7), np.array(2)]), (3.0, [np.array(7), np.array(4)])])

    assert same == 7
    assert same.dtype == np.int64
    assert differs == pytest.approx(3.5)


def test_half_precision_is_summed_in_single():
    (mean,) = mean_of(
        [(1.0, [np.array([1, 2], np.float16)]), (1.0, [np.array([3, 2], np.float16)])]
    )

    assert mean.dtype == np.float32
    assert mean.tolist() == [2, 2]


def test_arrays_of_any_shape_and_order_are_added():
    column = np.asfortranarray(np.arange(6.0).reshape(2, 3))

    mean = mean_of([(1.0, [column, np.array(2.0), np.zeros((0, 3))])] * 2)

    assert [item.tolist() for item in mean] == [column.tolist(), 2.0, []]


@pytest.mark.parametrize(
    ("strategy", "size", "folds"),
    [
        (FedAvg(), 100, True),
        (FedProx(), 100, True),
        (FedMedian(), 100, False),
        (FedAvg(), 1, False),
    ],
)
def test_large_models_are_folded_by_strategies_that_only_average(strategy, size, folds):
    sent = a_record(np.zeros(size, np.uint8))

    assert bool(fold_for(strategy, sent, from_bytes=200)) is folds

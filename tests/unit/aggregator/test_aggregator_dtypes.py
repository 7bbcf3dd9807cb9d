"""Parameters of any type and shape survive both levels, and are aggregated by their kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flops_contracts.sla import Parametrised
from flops_grid.messages.flower_internals import take_identity
from support.federation import Learner, MemoryCluster, run

WHOLE = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
)
FLOATING = st.one_of(hnp.floating_dtypes(endianness="<"), hnp.complex_number_dtypes(endianness="<"))
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def arrays_of(dtypes, scale=1.0):
    def finite(dtype):
        elements = hnp.from_dtype(dtype, allow_nan=False, allow_infinity=False)
        return hnp.arrays(dtype, SHAPES, elements=elements)

    return dtypes.flatmap(finite).map(lambda item: np.asarray(item * scale, item.dtype))


# Halves, so that a mean of the greatest numbers cannot overflow.
ARRAYS = st.lists(st.one_of(arrays_of(WHOLE), arrays_of(FLOATING, 0.5)), min_size=1, max_size=4)


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


def through_two_levels(first, *fits, **changes):
    """Return the arrays after a cycle over two clusters with the learners ``fits`` in turn."""
    learners = [Learner(fit=fit, samples=10 * (n + 1)) for n, fit in enumerate(fits)]
    clusters = {
        "north": MemoryCluster(dict(zip("abc", learners[::2], strict=False))),
        "south": MemoryCluster(dict(zip("abc", learners[1::2], strict=False))),
    }
    return run(clusters, first, **changes)[0]


def described(arrays):
    return [(array.dtype, array.shape) for array in arrays]


def unchanged(arrays):
    return arrays


@settings(deadline=None, max_examples=60)
@given(ARRAYS)
def test_any_type_and_shape_survives_two_levels(first):
    result = through_two_levels(first, unchanged, unchanged, unchanged)

    assert described(result) == described(first)
    for item, other in zip(result, first, strict=True):
        np.testing.assert_allclose(item, other, rtol=1e-2 if item.dtype == np.float16 else 1e-5)


@settings(deadline=None, max_examples=60)
@given(st.lists(arrays_of(WHOLE), min_size=1, max_size=4))
def test_whole_numbers_that_all_agree_on_stay_exactly_those(first):
    result = through_two_levels(first, unchanged, unchanged, unchanged)

    assert [item.tobytes() for item in result] == [item.tobytes() for item in first]


@settings(deadline=None, max_examples=60)
@given(
    hnp.integer_dtypes(endianness="<").flatmap(
        lambda dtype: st.tuples(*2 * [hnp.arrays(dtype, 3, elements=hnp.from_dtype(dtype))])
    )
)
def test_a_mean_of_whole_numbers_lies_between_them_and_never_wraps_around(pair):
    low, high = np.minimum(*pair), np.maximum(*pair)

    (result,) = through_two_levels([low], lambda _: [low], lambda _: [high])

    # Beyond 2**53 a mean is as exact as doubles are.
    slack = np.maximum(np.abs(low.astype(float)), np.abs(high.astype(float))) * 1e-15
    assert (result.astype(float) >= low.astype(float) - slack).all()
    assert (result.astype(float) <= high.astype(float) + slack).all()


def test_a_counter_of_batches_is_the_rounded_mean_weighted_by_samples():
    counts = [np.array(0)]

    result = through_two_levels(counts, lambda _: [np.array(100)], lambda _: [np.array(203)])

    assert result[0] == 169  # (10 * 100 + 20 * 203) / 30 = 168.67


def test_a_flag_is_what_most_samples_say():
    flags = [np.array([False, True])]

    result = through_two_levels(
        flags, lambda _: [np.array([False, True])], lambda _: [np.array([True, True])]
    )

    assert result[0].tolist() == [True, True]


@pytest.mark.parametrize("name", ["FedAdagrad", "FedAdam", "FedAvgM", "FedYogi"])
def test_a_strategy_with_steps_of_its_own_takes_none_with_counters(name):
    first = [np.zeros(3), np.array(5)]

    result = through_two_levels(
        first,
        lambda arrays: [arrays[0] + 1, np.array(105)],
        lambda arrays: [arrays[0] + 1, np.array(108)],
        strategy=Parametrised(name),
    )

    assert result[1] == 107


def test_half_precision_is_summed_in_single_precision():
    learners = {str(n): Learner(fit=lambda _: [np.float16([2049, 0.1])]) for n in range(64)}

    (result,), _, _ = run({"cluster": MemoryCluster(learners)}, [np.zeros(2, np.float16)])

    np.testing.assert_array_equal(result, np.float16([2049, 0.1]))

"""Updates of bounded norm, and noise that only their learner knows."""

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from flops_contracts.privacy import DifferentialPrivacy, DpModel, delta_of_gaussian
from flops_grid.errors import BudgetSpentError, UserCodeError
from flops_grid.messages.flower_internals import LEARNER_RAISED, take_identity
from flops_grid.updates.clipping import (
    NORM,
    WANTS_WITHIN,
    WITHIN,
    PrivateUpdates,
    moved,
    shortened,
    update_norm,
)

SENT = [np.ones((3, 4), np.float32), np.array([2.0, 3.0]), np.array([7, 8])]
LOCAL = DifferentialPrivacy(2.0, 0.5, DpModel.LOCAL)


def record(arrays):
    return ArrayRecord([np.asarray(array) for array in arrays])


def answered(updates, steps, config=None, sent=SENT):
    """Return the reply of a learner whose training adds ``steps`` to what it was sent."""
    take_identity()
    content = {"arrays": record(sent), "config": ConfigRecord(config or {})}
    message = Message(RecordDict(content), 1, "train")

    def train(message, _context):
        before = message.content["arrays"].to_numpy_ndarrays()
        after = [
            np.asarray(item + step, item.dtype) for item, step in zip(before, steps, strict=True)
        ]
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"arrays": record(after), "metrics": metrics}), reply_to=message)

    return updates(message, None, train)


def arrays_in(reply):
    return reply.content["arrays"].to_numpy_ndarrays()


def test_the_norm_is_over_all_numbers_with_a_fraction():
    after = [SENT[0] + 2, SENT[1] + [3, 4], SENT[2] + 100]

    assert update_norm(record(after), record(SENT)) == pytest.approx((12 * 4 + 25) ** 0.5)


@pytest.mark.parametrize(("norm", "factor"), [(4.0, 0.5), (2.0, 1.0), (1.0, 1.0), (0.0, 1.0)])
def test_only_a_longer_update_is_shortened(norm, factor):
    assert shortened(norm, 2.0) == factor


def test_an_update_keeps_its_direction_and_gets_the_norm_that_the_aggregator_asks_for():
    reply = answered(PrivateUpdates(), [3.0, 3.0, 5], {NORM: 0.7, WANTS_WITHIN: True})

    arrays = arrays_in(reply)
    assert update_norm(record(arrays), record(SENT)) == pytest.approx(0.7, rel=1e-5)
    steps = [item - before for item, before in zip(arrays[:2], SENT, strict=False)]
    assert np.ptp(np.concatenate([step.ravel() for step in steps])) < 1e-6
    assert reply.content["metrics"][WITHIN] == 0


def test_a_short_update_stays_and_says_so():
    reply = answered(PrivateUpdates(), [0.1, 0.1, 0], {NORM: 9.0, WANTS_WITHIN: True})

    np.testing.assert_allclose(arrays_in(reply)[0], SENT[0] + 0.1, rtol=1e-6)
    assert reply.content["metrics"][WITHIN] == 1


def test_whole_numbers_stay_what_they_were_and_types_are_kept():
    arrays = arrays_in(answered(PrivateUpdates(LOCAL), [1.0, 1.0, 5]))

    np.testing.assert_array_equal(arrays[2], SENT[2])
    assert [item.dtype for item in arrays] == [item.dtype for item in SENT]


def test_without_privacy_nothing_changes():
    reply = answered(PrivateUpdates(), [1.0, 1.0, 5])

    np.testing.assert_array_equal(arrays_in(reply)[2], SENT[2] + 5)
    assert WITHIN not in reply.content["metrics"]


def test_noise_has_the_promised_deviation_and_hides_the_rest():
    sent = [np.zeros(100_000)]

    (noise,) = arrays_in(answered(PrivateUpdates(LOCAL), [0.0], sent=sent))
    (other,) = arrays_in(answered(PrivateUpdates(LOCAL), [0.0], sent=sent))

    # A standard deviation of 100,000 numbers is wrong by 0.2 % at most times.
    assert noise.std() == pytest.approx(2.0 * 0.5, rel=0.02)
    assert abs(noise.mean()) < 0.02
    assert abs(np.corrcoef(noise, other)[0, 1]) < 0.02


def test_an_aggregator_cannot_talk_a_learner_out_of_its_noise():
    sent = [np.zeros(1000)]

    (noisy,) = arrays_in(answered(PrivateUpdates(LOCAL), [1e6], {NORM: 1e9}, sent))

    assert np.abs(noisy).max() < 10


def test_a_users_seed_does_not_make_the_noise_known():
    sent, noisy = [np.zeros(10)], []
    for _ in range(2):
        np.random.seed(42)  # noqa: NPY002 - what user code does
        noisy += arrays_in(answered(PrivateUpdates(LOCAL), [0.0], sent=sent))

    assert not np.array_equal(*noisy)


@pytest.mark.parametrize("step", [np.nan, np.inf])
def test_values_that_are_not_numbers_do_not_leave(step):
    with pytest.raises(UserCodeError, match="NaN or infinity"):
        answered(PrivateUpdates(LOCAL), [step, 0.0, 0])


def test_other_shapes_do_not_leave():
    take_identity()
    message = Message(RecordDict({"arrays": record(SENT)}), 1, "train")

    def train(message, _context):
        return Message(RecordDict({"arrays": record([np.ones(3)])}), reply_to=message)

    with pytest.raises(UserCodeError, match="other shapes"):
        PrivateUpdates(LOCAL)(message, None, train)


def test_an_error_is_passed_on():
    take_identity()
    message = Message(RecordDict({"arrays": record(SENT)}), 1, "train")

    def train(message, _context):
        return Message(Error(LEARNER_RAISED, "no"), reply_to=message)

    assert PrivateUpdates(LOCAL)(message, None, train).has_error()


def test_a_learner_keeps_to_its_own_budget():
    private = DifferentialPrivacy(1.0, 10.0, DpModel.LOCAL, epsilon_budget=2.0)
    affordable = max(
        rounds for rounds in range(1, 50) if delta_of_gaussian(2.0, 5 / rounds**0.5) <= 1e-5
    )
    updates = PrivateUpdates(private)

    [answered(updates, [0.1, 0.1, 0]) for _ in range(affordable)]

    assert affordable > 1
    with pytest.raises(BudgetSpentError, match=f"after {affordable} rounds"):
        answered(updates, [0.1, 0.1, 0])


def test_half_precision_is_reckoned_in_double():
    sent = [np.full(1000, 1000, np.float16)]

    (clipped,) = arrays_in(answered(PrivateUpdates(), [100.0], {NORM: 31.7}, sent))

    assert clipped.dtype == np.float16
    np.testing.assert_allclose(clipped, 1001, rtol=1e-3)


def test_many_numbers_are_moved_like_few():
    # More than one piece, and more than one array in the file.
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2, 300_000)).astype(np.float32)

    result = moved(record([before, before]), record([after, after]), 0.25, 0.0, rng)

    for ndarray in result.to_numpy_ndarrays():
        np.testing.assert_allclose(ndarray, before + 0.25 * (after - before), rtol=1e-5, atol=1e-6)

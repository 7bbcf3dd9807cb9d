"""Secure aggregation through whole trainings in memory, with learners as the service has them."""

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Error, Message, RecordDict

from flops_aggregator.privacy.accounting import epsilon_after
from flops_contracts.privacy import (
    Clipper,
    DifferentialPrivacy,
    Privacy,
    SecureAggregation,
)
from flops_contracts.sla import Parametrised
from flops_grid.client.app import run_app
from flops_grid.errors import UserCodeError
from flops_grid.messages.flower_internals import LEARNER_RAISED, take_identity
from flops_grid.secure.server import TooFewClientsError
from flops_learner.training import NullListener
from support.federation import MemoryCluster, run
from support.walking_model import walking

SECRET = Privacy(secure_aggregation=SecureAggregation(threshold=0.51))
FIRST = [np.zeros((2, 3), np.float32), np.ones(4), np.array([5, 6])]
SHARE, MASK, OPEN = (f"query.{item}" for item in ("share_keys", "mask_update", "open_shares"))


class Noticing(NullListener):
    def __init__(self):
        self.notices = []

    def noticed(self, notice):
        self.notices.append(notice)


class RealLearner:
    """A learner in memory; ``fails`` maps types of messages to what comes in their stead."""

    def __init__(self, step, samples=10, privacy=SECRET, **fails):
        self.listener, self.fails = Noticing(), fails
        self.replies = []
        self._app = walking(step, privacy, samples, self.listener).client_app()

    def answer(self, message):
        kind = message.metadata.message_type
        reply = run_app(self._app, message)
        fail = self.fails.get(kind.replace("query.", ""))
        if fail:
            reply = fail(message, reply)
        self.replies.append((kind, reply))
        return reply


def silence(_message, _reply):
    return None


def an_error(message, _reply):
    return Message(Error(LEARNER_RAISED, "out of memory"), reply_to=message)


def with_content(**records):
    def change(message, _reply):
        return Message(RecordDict(records), reply_to=message)

    return change


@pytest.fixture(autouse=True)
def _makes_messages():
    take_identity()


def learners(*steps, samples=(10, 30, 20, 40, 50), privacy=SECRET):
    return {
        f"learner{n}": RealLearner(step, count, privacy)
        for n, (step, count) in enumerate(zip(steps, samples, strict=False))
    }


def weighted(steps, samples):
    return np.average(steps, weights=samples)


def test_the_sum_gives_the_mean_that_all_updates_would_have_given():
    steps, samples = (0.1, -0.4, 0.7, 2.0), (10, 30, 20, 40)

    result, _, watch = run(learners(*steps, samples=samples), FIRST, rounds=2, privacy=SECRET)

    expected = 2 * weighted(steps, samples)
    np.testing.assert_allclose(result[0], FIRST[0] + expected, rtol=1e-6)
    np.testing.assert_allclose(result[1], FIRST[1] + expected, rtol=1e-8)
    assert [item.dtype for item in result] == [item.dtype for item in FIRST]
    assert watch.notices == []
    assert [learner.error for learner in watch.completed[1].learners] == [""] * 4


def test_whole_numbers_do_not_leave():
    result, _, _ = run(learners(1.0, 2.0, 3.0), FIRST, privacy=SECRET)

    np.testing.assert_array_equal(result[2], FIRST[2])


@pytest.mark.parametrize(
    ("name", "parameters"), [("FedAdam", {}), ("FedAvgM", {"server_momentum": 0.9})]
)
def test_a_strategy_takes_the_mean_for_an_answer(name, parameters):
    strategy = Parametrised(name, parameters)
    steps, first = (0.1, -0.4, 0.7), [np.ones(5)]
    public = Privacy()

    plain, _, _ = run(learners(*steps, privacy=public), first, rounds=3, strategy=strategy)
    secret, _, _ = run(learners(*steps), first, rounds=3, strategy=strategy, privacy=SECRET)

    np.testing.assert_allclose(secret[0], plain[0], rtol=1e-6)


def test_nothing_that_a_learner_sends_shows_its_update():
    first = [np.zeros(20_000)]
    crowd = learners(0.5, 0.5, 0.5)

    run(crowd, first, privacy=SECRET)

    for learner in crowd.values():
        sent = dict(learner.replies)
        assert set(sent["train"].content) == {"metrics", "flops.secure"}
        (hidden,) = sent[MASK].content["arrays"].to_numpy_ndarrays()
        # An update of equal numbers, hidden as numbers that differ.
        assert len(np.unique(hidden)) > 19_900


def test_an_aggregator_that_does_not_ask_for_secrecy_gets_no_parameters():
    with pytest.raises(UserCodeError, match="no parameters"):
        run(learners(0.1, 0.2, 0.3), FIRST)


@pytest.mark.parametrize("fail", [silence, an_error])
@pytest.mark.parametrize("step", ["share_keys", "mask_update"])
def test_who_is_lost_before_its_update_came_is_left_out_of_the_mean(step, fail):
    crowd = learners(0.1, 0.2, 0.3, 0.4)
    crowd["learner2"].fails[step] = fail

    result, _, watch = run(crowd, [np.zeros(3)], privacy=SECRET)

    expected = weighted((0.1, 0.2, 0.4), (10, 30, 40))
    np.testing.assert_allclose(result[0], expected, rtol=1e-6)
    notice = "round 1: dropped out while the secure sum was unmasked. learner2: "
    assert watch.notices[0].startswith(notice)
    assert [bool(learner.error) for learner in watch.completed[0].learners] == [
        False,
        False,
        True,
        False,
    ]


def test_who_is_lost_afterwards_is_in_it():
    crowd = learners(0.1, 0.2, 0.3, 0.4)
    crowd["learner2"].fails["open_shares"] = silence

    result, _, _ = run(crowd, [np.zeros(3)], privacy=SECRET)

    np.testing.assert_allclose(
        result[0], weighted((0.1, 0.2, 0.3, 0.4), (10, 30, 20, 40)), rtol=1e-6
    )


def test_who_is_lost_in_training_costs_nothing():
    crowd = learners(0.1, 0.2, 0.3, 0.4)
    crowd["learner2"].fails["train"] = an_error

    result, _, watch = run(crowd, [np.zeros(3)], privacy=SECRET)

    np.testing.assert_allclose(result[0], weighted((0.1, 0.2, 0.4), (10, 30, 40)), rtol=1e-6)
    assert "learner2" in watch.notices[0]


@pytest.mark.parametrize(
    "garbage",
    [
        {"flops.secure": ConfigRecord({"to": [1], "sealed": []})},
        {"flops.secure": ConfigRecord({"to": ["a"], "sealed": [b"x"]})},
        {"flops.secure": ConfigRecord({"to": 1, "sealed": "x"})},
        {},
    ],
)
def test_who_gives_no_shares_is_left_out(garbage):
    crowd = learners(0.1, 0.2, 0.3, 0.4)
    crowd["learner2"].fails["share_keys"] = with_content(**garbage)

    result, _, _ = run(crowd, [np.zeros(3)], privacy=SECRET)

    np.testing.assert_allclose(result[0], weighted((0.1, 0.2, 0.4), (10, 30, 40)), rtol=1e-6)


@pytest.mark.parametrize(
    "arrays",
    [
        [np.zeros(4, np.uint32)],
        [np.zeros(3, np.float32)],
        [np.zeros(3, np.uint32)] * 2,
        [],
    ],
)
def test_who_hides_something_else_is_left_out(arrays):
    crowd = learners(0.1, 0.2, 0.3, 0.4)
    crowd["learner2"].fails["mask_update"] = with_content(arrays=ArrayRecord(arrays))

    result, _, _ = run(crowd, [np.zeros(3)], privacy=SECRET)

    np.testing.assert_allclose(result[0], weighted((0.1, 0.2, 0.4), (10, 30, 40)), rtol=1e-6)


@pytest.mark.parametrize(
    ("step", "least"), [("share_keys", 3), ("mask_update", 3), ("open_shares", 2)]
)
def test_below_the_threshold_the_round_ends_with_who_was_lost_and_why(step, least):
    crowd = learners(0.1, 0.2, 0.3)
    crowd["learner0"].fails[step] = an_error
    crowd["learner1"].fails[step] = silence

    with pytest.raises(TooFewClientsError, match=f"1 of at least {least} learners") as caught:
        run(crowd, [np.zeros(3)], privacy=SECRET)

    assert "learner0: out of memory" in caught.value.reason
    assert "learner1: no reply within 5 s" in caught.value.reason


def test_two_learners_that_are_left_open_nothing():
    crowd = learners(0.1, 0.2, 0.3)
    crowd["learner0"].fails["train"] = an_error

    with pytest.raises(TooFewClientsError, match="needs 3 learners, there are 2"):
        run(crowd, [np.zeros(3)], privacy=SECRET, min_fit=2)


def test_values_beyond_the_bound_are_clipped_and_reported():
    privacy = Privacy(secure_aggregation=SecureAggregation(0.51, bound=1.0))
    crowd = learners(0.5, 3.0, 0.5, samples=(10, 10, 10), privacy=privacy)

    result, _, _ = run(crowd, [np.zeros(3)], privacy=privacy)

    np.testing.assert_allclose(result[0], (0.5 + 1.0 + 0.5) / 3, rtol=1e-6)
    (notice,) = crowd["learner1"].listener.notices
    assert notice.startswith("3 of 3 numbers of an update were clipped to the bound 1")


def test_noise_of_the_aggregator_hides_one_learner_in_the_sum():
    private = DifferentialPrivacy(2.0, 1.5, clipping=Clipper.LEARNER)
    privacy = Privacy(private, SecureAggregation(0.51))
    crowd = learners(100.0, 0.0, -100.0, 0.0, samples=(1, 1000, 1, 1), privacy=privacy)

    result, _, watch = run(crowd, [np.zeros(200_000)], privacy=privacy)

    # Both long updates are shortened to 2, and all count alike: nothing but noise is left.
    assert result[0].std() == pytest.approx(1.5 * 2.0 / 4, rel=0.02)
    assert abs(result[0].mean()) < 0.02
    assert watch.completed[0].metrics["epsilon"] == epsilon_after(1, private)
    assert all("within-norm" not in dict(item.replies)["train"].content for item in crowd.values())


def test_in_clusters_each_aggregator_sees_the_sum_of_its_own_learners():
    below = {
        f"aggregator{number}": MemoryCluster(
            learners(*steps, samples=(10, 10, 10)), f"cluster{number}", privacy=SECRET
        )
        for number, steps in enumerate([(0.1, 0.2, 0.3), (0.5, 0.6, 0.7)])
    }

    result, _, watch = run(below, [np.zeros(3)], rounds=2, privacy=SECRET, leads_clusters=True)

    np.testing.assert_allclose(result[0], 2 * 0.4, rtol=1e-6)
    assert watch.notices == []


def test_other_shapes_and_values_that_are_not_numbers_do_not_leave():
    crowd = learners(0.1, 0.2, 0.3, np.nan)

    result, _, watch = run(crowd, [np.zeros(3)], privacy=SECRET)

    np.testing.assert_allclose(result[0], weighted((0.1, 0.2, 0.3), (10, 30, 20)), rtol=1e-6)
    assert "learner3: the parameters contain NaN or infinity" in watch.notices[0]


def test_a_learner_that_has_no_update_says_so():
    message = Message(RecordDict({"config": ConfigRecord({"alive": [0, 1]})}), 1, OPEN)

    reply = RealLearner(0.1).answer(message)

    assert "there is no update to mask" in reply.error.reason

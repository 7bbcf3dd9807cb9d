"""Differential privacy through whole trainings in memory: the mean, its noise, what it spends."""

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent
from dp_accounting.pld import PLDAccountant

from flops_aggregator.checkpoints.files import Memory
from flops_aggregator.privacy.accounting import epsilon_after
from flops_contracts.privacy import (
    AdaptiveClipping,
    Clipper,
    DifferentialPrivacy,
    DpModel,
    Privacy,
)
from flops_contracts.sla import Compression, Parametrised
from flops_grid.errors import BudgetSpentError
from flops_grid.messages.flower_internals import take_identity
from support.federation import Learner, MemoryCluster, MemoryRuns, run
from support.walking_model import WalkingLearner

FAINT = 1e-9
"""A noise multiplier whose noise is below what the comparisons see."""


@pytest.fixture(autouse=True)
def _makes_messages():
    take_identity()


def promise(norm=1.0, multiplier=FAINT, **more):
    return Privacy(DifferentialPrivacy(norm, multiplier, **more))


def stepping(*steps, samples=(10, 10, 10, 10)):
    return {
        f"learner{number}": Learner(fit=lambda arrays, step=step: [arrays[0] + step], samples=count)
        for number, (step, count) in enumerate(zip(steps, samples, strict=False))
    }


def spent(rounds, multiplier, delta=1e-5):
    """Return epsilon as the accountant of privacy loss distributions has it."""
    accountant = PLDAccountant()
    accountant.compose(GaussianDpEvent(multiplier), rounds)
    return accountant.get_epsilon(delta)


def test_long_updates_are_shortened_and_all_learners_count_alike():
    steps = [np.array([3.0, 4.0, 0.0]), np.array([0.0, 0.0, 0.5])]

    result, _, _ = run(
        stepping(*steps, samples=(1, 1000)), [np.zeros(3)], privacy=promise(norm=1.0)
    )

    np.testing.assert_allclose(result[0], (steps[0] / 5 + steps[1]) / 2, atol=1e-6)


def test_the_mean_has_the_noise_that_hides_one_learner():
    learners = stepping(*[0.0] * 4)

    result, _, _ = run(learners, [np.zeros(200_000)], privacy=promise(2.0, 1.5))

    assert result[0].std() == pytest.approx(1.5 * 2.0 / 4, rel=0.02)
    assert abs(result[0].mean()) < 0.02


def test_noise_differs_from_training_to_training_whatever_the_seed():
    results = []
    for _ in range(2):
        np.random.seed(1)  # noqa: NPY002 - what user code does
        results.append(run(stepping(0.0), [np.zeros(10)], privacy=promise(1.0, 1.0))[0][0])

    assert not np.array_equal(*results)


def test_counters_stay_what_they_were():
    learners = {"a": Learner(fit=lambda arrays: [arrays[0] + 0.1, arrays[1] + 5])}

    result, _, _ = run(learners, [np.zeros(2), np.array([3, 4])], privacy=promise())

    np.testing.assert_array_equal(result[1], [3, 4])
    assert result[1].dtype == np.int64


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("FedProx", {"proximal_mu": 0.1}),
        ("FedAvgM", {"server_momentum": 0.9}),
        ("FedAdagrad", {}),
        ("FedAdam", {}),
        ("FedYogi", {}),
    ],
)
def test_a_strategy_that_takes_a_mean_takes_this_one(name, parameters):
    steps = [np.array([0.1, 0.2]), np.array([0.3, -0.2]), np.array([-0.1, 0.1])]
    strategy = Parametrised(name, parameters)

    plain, _, _ = run(stepping(*steps), [np.ones(2)], rounds=3, strategy=strategy)
    private, _, _ = run(
        stepping(*steps), [np.ones(2)], rounds=3, strategy=strategy, privacy=promise(10.0)
    )

    np.testing.assert_allclose(private[0], plain[0], rtol=1e-4)


def test_every_round_reports_what_was_spent_by_then():
    _, _, watch = run(stepping(0.1, 0.2), rounds=3, privacy=promise(1.0, 2.0))

    metrics = [item.metrics for item in watch.completed]
    assert [item["privacy_releases"] for item in metrics] == [1, 2, 3]
    assert [item["clipping_norm"] for item in metrics] == [1, 1, 1]
    for rounds, item in enumerate(metrics, 1):
        assert item["epsilon"] == pytest.approx(spent(rounds, 2.0), rel=1e-3)


def test_without_privacy_nothing_is_reported_about_it():
    _, _, watch = run(stepping(0.1))

    assert "epsilon" not in watch.completed[0].metrics


def test_noise_of_the_learners_own_counts_half_and_is_counted_when_they_are_asked():
    book = MemoryRuns()
    learners = {**stepping(0.1, 0.2), "silent": Learner(is_silent=True)}

    _, _, watch = run(
        learners,
        rounds=2,
        book=book,
        privacy=promise(1.0, 3.0, model=DpModel.LOCAL),
        round_timeout_seconds=0.2,
    )

    assert book.noted == 2
    assert watch.completed[1].metrics["epsilon"] == pytest.approx(spent(2, 1.5), rel=1e-3)
    assert "clipping_norm" not in watch.completed[1].metrics


def test_the_budget_ends_the_training_and_the_best_round_so_far_stays():
    privacy = promise(1.0, 2.0, epsilon_budget=spent(4, 2.0) + 0.01)

    _, strategy, watch = run(stepping(0.1, 0.2), rounds=20, privacy=privacy)

    assert [item.round for item in watch.completed] == [1, 2, 3, 4]
    assert strategy.best is not None
    assert "privacy budget is spent" in watch.notices[-1]
    assert "after 4 rounds" in watch.notices[-1]


def test_who_goes_on_knows_what_was_spent_even_after_the_last_checkpoint():
    privacy = promise(1.0, 2.0, epsilon_budget=spent(5, 2.0) + 0.01)
    book, checkpoints = MemoryRuns(), []
    run(
        stepping(0.1, 0.2),
        memory=Memory(keep=checkpoints.append),
        book=book,
        rounds=3,
        privacy=privacy,
        checkpoint_every_rounds=1,
    )

    # The last checkpoint was lost with the aggregator: its third mean had left it, though.
    _, _, watch = run(
        stepping(0.1, 0.2),
        memory=Memory(since=checkpoints[1]),
        book=book,
        rounds=20,
        privacy=privacy,
    )

    assert [item.round for item in watch.completed] == [3, 4]
    assert [item.metrics["privacy_releases"] for item in watch.completed] == [4, 5]


def test_a_training_whose_budget_is_spent_before_its_first_round_says_so():
    privacy = promise(1.0, 2.0, epsilon_budget=spent(2, 2.0) + 0.01)

    with pytest.raises(BudgetSpentError, match="another one would make it"):
        run(stepping(0.1), book=MemoryRuns(noted=2), privacy=privacy)


def test_a_mean_leaves_only_after_it_was_noted():
    class Away(MemoryRuns):
        def note_releases(self, count):
            raise ConnectionError(f"{count} is not noted")

    with pytest.raises(ConnectionError, match="1 is not noted"):
        run(stepping(0.1), book=Away(), privacy=promise(1.0, 1.0))


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.FLOAT16])
@pytest.mark.parametrize("model", list(DpModel))
def test_real_learners_and_an_aggregator_agree(model, compression):
    more = {"clipping": Clipper.LEARNER} if model is DpModel.CENTRAL else {}
    privacy = promise(1.0, 1e-6, model=model, **more)
    learners = {f"learner{n}": WalkingLearner(float(n), privacy) for n in range(1, 4)}

    result, _, watch = run(learners, [np.zeros(4)], privacy=privacy, compression=compression)

    # Each update is of four equal numbers, the norm of which is 1.
    np.testing.assert_allclose(result[0], np.full(4, 0.5), atol=2e-3)
    assert watch.notices == []


def test_a_learner_that_does_not_shorten_is_left_out_and_named():
    privacy = promise(1.0, clipping=Clipper.LEARNER)
    learners = {
        "honest": WalkingLearner(9.0, privacy),
        "liar": Longer(WalkingLearner(9.0, privacy)),
    }

    result, _, watch = run(learners, [np.zeros(4)], privacy=privacy)

    np.testing.assert_allclose(result[0], np.full(4, 0.5), atol=1e-5)
    assert "liar: the update has the norm 10, above 1" in watch.notices[0]


class Longer:
    """Sends ten times the update."""

    def __init__(self, learner):
        self._learner = learner

    def answer(self, message):
        reply = self._learner.answer(message)
        if message.metadata.message_type == "train":
            (array,) = reply.content["arrays"].to_numpy_ndarrays()
            reply.content["arrays"] = type(reply.content["arrays"])([array * 10])
        return reply


@pytest.mark.parametrize("clipping", list(Clipper))
def test_the_norm_follows_the_updates(clipping):
    adaptive = AdaptiveClipping(quantile=0.5, learning_rate=0.3, count_noise=1e-6)
    privacy = promise(0.3, FAINT, clipping=clipping, adaptive=adaptive)
    learners = {f"learner{n}": WalkingLearner(n / 2, privacy) for n in range(1, 8)}

    _, _, watch = run(learners, [np.zeros(4)], rounds=40, privacy=privacy)

    # The updates have the norms 1, 2 ... 7.
    norms = [item.metrics["clipping_norm"] for item in watch.completed]
    assert norms[0] == 0.3
    assert 3.0 < np.median(norms[-10:]) < 5.0


def test_a_norm_that_follows_spends_no_more_and_adds_more_noise_for_that():
    adaptive = AdaptiveClipping(count_noise=1.0)
    learners = stepping(*[0.0] * 4)

    result, _, watch = run(
        learners, [np.zeros(200_000)], privacy=promise(1.0, 1.5, adaptive=adaptive)
    )

    # Andrew et al. 2021, section 3.1: z = (z_update^-2 + (2 sigma_count)^-2)^(-1/2).
    multiplier = (1.5**-2 - 2.0**-2) ** -0.5
    assert result[0].std() == pytest.approx(multiplier / 4, rel=0.02)
    assert watch.completed[0].metrics["epsilon"] == pytest.approx(spent(1, 1.5), rel=1e-3)


def test_the_norm_goes_on_where_it_was():
    adaptive = AdaptiveClipping(learning_rate=0.3, count_noise=1e-8)
    privacy = promise(0.01, FAINT, adaptive=adaptive)
    checkpoints = []
    run(stepping(5.0), memory=Memory(keep=checkpoints.append), rounds=4, privacy=privacy)

    _, _, watch = run(stepping(5.0), memory=Memory(since=checkpoints[2]), rounds=5, privacy=privacy)

    norms = [item.metrics["clipping_norm"] for item in watch.completed]
    np.testing.assert_allclose(norms, [0.01 * np.exp(0.15 * n) for n in (3, 4)], rtol=1e-6)


def clusters(privacy, rounds, **changes):
    return {
        f"aggregator{number}": MemoryCluster(
            stepping(0.1, 0.2), f"cluster{number}", rounds=rounds, privacy=privacy, **changes
        )
        for number in (1, 2)
    }


def test_a_root_reports_what_the_clusters_spent():
    privacy = promise(1.0, 2.0)

    _, _, watch = run(clusters(privacy, 3), rounds=2, privacy=privacy, leads_clusters=True)

    metrics = [item.metrics for item in watch.completed]
    assert [item["privacy_releases"] for item in metrics] == [3, 6]
    assert metrics[1]["epsilon"] == pytest.approx(spent(6, 2.0), rel=1e-3)


def test_a_root_ends_when_its_clusters_have_spent_the_budget_in_the_middle_of_a_cycle():
    privacy = promise(1.0, 2.0, epsilon_budget=spent(5, 2.0) + 0.01)
    below = clusters(privacy, 3)

    _, strategy, watch = run(below, rounds=9, privacy=privacy, leads_clusters=True)

    assert [item.metrics["privacy_releases"] for item in watch.completed] == [3, 5]
    assert strategy.best is not None
    assert "privacy budget is spent" in watch.notices[-1]
    rounds = [item.round for item in below["aggregator1"].watch.completed]
    assert rounds == [1, 2, 3, 1, 2]


def test_a_cluster_that_has_nothing_left_says_so():
    privacy = promise(1.0, 2.0, epsilon_budget=spent(3, 2.0) + 0.01)
    below = clusters(privacy, 3)
    below["aggregator2"].runs.noted = 3

    _, _, watch = run(below, rounds=1, privacy=privacy, leads_clusters=True)

    assert "aggregator2: the privacy budget is spent" in watch.notices[0]


@pytest.mark.parametrize("local", [False, True])
def test_epsilon_grows_with_the_rounds_and_is_nothing_before_the_first(local):
    private = DifferentialPrivacy(1.0, 2.0, DpModel.LOCAL if local else DpModel.CENTRAL)

    values = [epsilon_after(rounds, private) for rounds in range(5)]

    assert values[0] == 0.0
    assert values == sorted(values)

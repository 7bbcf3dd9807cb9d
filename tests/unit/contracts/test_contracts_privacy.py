"""Promises to learners, and those that are refused because they would not hold."""

import pytest
from dp_accounting import get_epsilon_gaussian

from flops_contracts.declared import dump, load
from flops_contracts.privacy import (
    AdaptiveClipping,
    Clipper,
    DifferentialPrivacy,
    DpModel,
    Privacy,
    SecureAggregation,
    delta_of_gaussian,
)
from flops_contracts.sla import ProjectSla
from flops_contracts.sla_documents import InvalidSlaError, read_project_sla

NOISE = {"clipping_norm": 0.5, "noise_multiplier": 1.0}
AT = "privacy.differential_privacy"


def a_sla(private, **changes):
    return {
        "customerID": "ada",
        "ml_repo_url": "https://git.example/r",
        "ml_model_flavor": "sklearn",
        "privacy": {"differential_privacy": {**NOISE, **private}},
        **changes,
    }


def problems(private, **changes):
    with pytest.raises(InvalidSlaError) as caught:
        read_project_sla(a_sla(private, **changes))
    return caught.value.problems


def test_the_smallest_promise_is_central_and_clipped_by_the_server():
    private = read_project_sla(a_sla({})).privacy.differential_privacy

    assert private == DifferentialPrivacy(0.5, 1.0)
    assert (private.model, private.clipping, private.delta) == (
        DpModel.CENTRAL,
        Clipper.SERVER,
        1e-5,
    )


def test_all_of_it_is_read_and_written_alike():
    private = DifferentialPrivacy(
        0.1, 2.0, DpModel.CENTRAL, Clipper.LEARNER, AdaptiveClipping(0.7, 0.3, 4.0), 1e-6, 8.0
    )

    assert load(Privacy, dump(Privacy(private))) == Privacy(private)
    assert load(Privacy, {}) == Privacy()


@pytest.mark.parametrize(
    ("private", "path"),
    [
        ({"clipping_norm": 0}, f"{AT}.clipping_norm"),
        ({"noise_multiplier": -1}, f"{AT}.noise_multiplier"),
        ({"delta": 1}, f"{AT}.delta"),
        ({"model": "global"}, f"{AT}.model"),
        ({"adaptive": {"quantile": 1}}, f"{AT}.adaptive.quantile"),
        ({"noise": 1}, f"{AT}.noise"),
        ({"model": "local", "adaptive": {}}, f"{AT}.adaptive"),
        ({"adaptive": {"count_noise": 0.5}}, f"{AT}.adaptive.count_noise"),
        ({"epsilon_budget": 1}, f"{AT}.epsilon_budget"),
        ({"model": "local", "epsilon_budget": 5}, f"{AT}.epsilon_budget"),
    ],
)
def test_what_can_promise_nothing_is_refused(private, path):
    assert set(problems(private)) == {path}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (
            {
                "strategy": {"name": "FedMedian"},
                "training_configuration": {"min_fit_clients": 3},
            },
            "strategy.name",
        ),
        (
            {"strategy": {"name": "QFedAvg", "parameters": {"client_learning_rate": 0.1}}},
            "strategy.name",
        ),
        ({"learners": 200, "privacy_delta": 0.01}, f"{AT}.delta"),
    ],
)
def test_what_breaks_the_promise_is_refused_with_the_reason(changes, path):
    delta = changes.pop("privacy_delta", 1e-5)

    assert set(problems({"delta": delta}, **changes)) == {path}


def test_compression_exceeds_the_norm_only_where_learners_clip_for_an_aggregators_noise():
    compressed = {"training_configuration": {"compression": "int8"}}

    assert set(problems({"clipping": "learner"}, **compressed)) == {
        "training_configuration.compression"
    }
    read_project_sla(a_sla({}, **compressed))
    read_project_sla(a_sla({"model": "local"}, **compressed))


def test_robust_strategies_go_with_noise_of_the_learners_own():
    training = {"min_fit_clients": 3}

    sla = a_sla({"model": "local"}, strategy={"name": "FedMedian"}, training_configuration=training)

    assert read_project_sla(sla).privacy.differential_privacy.is_local


@pytest.mark.parametrize("multiplier", [0.3, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-5, 1e-2])
def test_delta_is_the_one_that_the_accountant_finds(multiplier, delta):
    epsilon = get_epsilon_gaussian(multiplier, delta)

    assert delta_of_gaussian(epsilon, multiplier) == pytest.approx(delta, rel=1e-3)


def test_a_large_epsilon_leaves_no_delta():
    assert delta_of_gaussian(5000, 1.0) == 0.0


def a_secret_sla(**changes):
    private = changes.pop("private", None)
    promise = {"secure_aggregation": {}}
    if private is not None:
        promise["differential_privacy"] = {**NOISE, **private}
    training = {"min_fit_clients": 3, **changes.pop("training", {})}
    return {**a_sla({}), "privacy": promise, "training_configuration": training, **changes}


def test_secure_aggregation_is_opened_by_two_thirds_if_nothing_else_is_said():
    privacy = read_project_sla(a_secret_sla()).privacy

    assert privacy == Privacy(secure_aggregation=SecureAggregation(2 / 3, 8.0))
    assert load(Privacy, dump(privacy)) == privacy


@pytest.mark.parametrize("threshold", [0.5, 0, 1.01])
def test_half_of_the_learners_may_not_open_a_sum(threshold):
    sla = a_secret_sla()
    sla["privacy"]["secure_aggregation"]["threshold"] = threshold

    with pytest.raises(InvalidSlaError) as caught:
        read_project_sla(sla)

    assert set(caught.value.problems) == {"privacy.secure_aggregation.threshold"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"training": {"min_fit_clients": 2}}, "training_configuration.min_fit_clients"),
        ({"training": {"compression": "int8"}}, "training_configuration.compression"),
        ({"strategy": {"name": "FedMedian"}}, "strategy.name"),
        ({"private": {}}, f"{AT}.clipping"),
        ({"private": {"clipping": "learner", "adaptive": {}}}, f"{AT}.adaptive"),
        ({"private": {"model": "local"}}, "privacy.secure_aggregation"),
    ],
)
def test_what_would_have_to_see_an_update_is_refused(changes, path):
    with pytest.raises(InvalidSlaError) as caught:
        read_project_sla(a_secret_sla(**changes))

    assert set(caught.value.problems) == {path}


def test_noise_in_secure_sums_goes_with_learners_that_clip():
    private = read_project_sla(a_secret_sla(private={"clipping": "learner"})).privacy

    assert private.differential_privacy is not None
    assert private.secure_aggregation is not None


def test_a_project_that_was_stored_before_a_rule_stays_readable():
    old = {**a_sla({"epsilon_budget": 0.1}), "strategy": {"name": "FedProx"}}

    assert load(ProjectSla, old).strategy.name == "FedProx"

"""Rules over several parts of an SLA, each with its reason.

They hold for what is submitted. A project that was accepted before there was a rule stays readable.
"""

from collections.abc import Iterator
from typing import NamedTuple

from flops_contracts.privacy import LEAST_MEMBERS, DifferentialPrivacy, delta_of_gaussian
from flops_contracts.sla import Compression, ProjectSla
from flops_contracts.strategies import STRATEGIES, least_clients, parameter_problems

PRIVACY = "privacy.differential_privacy"


class Problem(NamedTuple):
    """A path in an SLA, and what to change there."""

    path: str
    text: str


def broken_rules(sla: ProjectSla) -> dict[str, list[str]]:
    """Return what is wrong with an SLA by its paths; nothing if all goes together."""
    problems: dict[str, list[str]] = {}
    for path, problem in _problems(sla):
        problems.setdefault(path, []).append(problem)
    return problems


def _problems(sla: ProjectSla) -> Iterator[Problem]:
    foreign = parameter_problems(sla.strategy.name, sla.strategy.parameters)
    yield from (Problem("strategy.parameters", item) for item in foreign)
    if not foreign:
        yield from _of_strategy(sla)
    if private := sla.privacy.differential_privacy:
        yield from _of_noise(private)
        yield from _of_privacy(sla, private)
    if sla.privacy.secure_aggregation:
        yield from _of_secrecy(sla)


def _of_secrecy(sla: ProjectSla) -> Iterator[Problem]:
    """Refuse beside secure aggregation what needs to see an update, or would show one."""
    name, training = sla.strategy.name, sla.training_configuration
    private = sla.privacy.differential_privacy
    if not STRATEGIES[name].is_mean:
        yield Problem(
            "strategy.name",
            f"{name} has to see each update, and secure aggregation shows their sum only. "
            f"Take one of {_means()}.",
        )
    if training.compression is not Compression.NONE:
        yield Problem(
            "training_configuration.compression",
            "Hidden updates look like random numbers of 4 bytes each: they cannot be compressed.",
        )
    if training.min_fit_clients < LEAST_MEMBERS:
        yield Problem(
            "training_configuration.min_fit_clients",
            f"A secure sum is of at least {LEAST_MEMBERS} updates: one of two would tell each of "
            "them what the other gave.",
        )
    if private and not private.is_clipped_by_learners:
        yield Problem(
            f"{PRIVACY}.clipping",
            "An aggregator that sees no update cannot shorten it. Let the learners do that: "
            '"clipping": "learner".',
        )
    if private and private.adaptive:
        yield Problem(
            f"{PRIVACY}.adaptive",
            "Each learner would have to tell the aggregator whether its update was shortened. "
            "Take a fixed norm.",
        )
    if private and private.is_local:
        yield Problem(
            "privacy.secure_aggregation",
            "The noise of the local model hides each update already. Leave one of the two out: the "
            "central model with secure aggregation needs far less noise.",
        )


def _of_strategy(sla: ProjectSla) -> Iterator[Problem]:
    """Refuse a strategy that cannot do with so few answers what it is there for."""
    name, minimum = sla.strategy.name, sla.training_configuration.min_fit_clients
    least = least_clients(name, sla.strategy.parameters)
    if minimum < least:
        facts = STRATEGIES[name]
        yield Problem(
            "strategy",
            f"{name} needs {least} answers in each round ({facts.least_words}: {facts.source}), "
            f"but min_fit_clients is {minimum}.",
        )


def _of_noise(private: DifferentialPrivacy) -> Iterator[Problem]:
    """Refuse noise that contradicts itself, or can promise nothing."""
    if private.is_local and private.adaptive:
        yield Problem(
            f"{PRIVACY}.adaptive",
            "In the local model nobody may know how many updates were clipped, so the norm cannot "
            "follow them. Leave adaptive out, or take the central model.",
        )
    adaptive = private.adaptive
    if adaptive and 0 < adaptive.count_noise <= private.noise_multiplier / 2:
        yield Problem(
            f"{PRIVACY}.adaptive.count_noise",
            "The count takes the whole budget: its noise has to be above half of the noise "
            f"multiplier, {private.noise_multiplier / 2:g}. Leave it out for what fits.",
        )
    budget = private.epsilon_budget
    if budget and delta_of_gaussian(budget, private.sensitivity_multiplier) > private.delta:
        yield Problem(
            f"{PRIVACY}.epsilon_budget",
            f"Not even one round fits: with this noise it spends more than {budget:g} at delta "
            f"{private.delta:g}. Raise noise_multiplier or the budget.",
        )


def _of_privacy(sla: ProjectSla, private: DifferentialPrivacy) -> Iterator[Problem]:
    """Refuse beside differential privacy what would break it."""
    name, training = sla.strategy.name, sla.training_configuration
    if not private.is_local and not STRATEGIES[name].is_mean:
        yield Problem(
            "strategy.name",
            f"The noise of the central model fits a mean, and {name} takes none: one learner could "
            f"change its result by more. Take one of {_means()}, or the local model.",
        )
    is_compressed = training.compression is not Compression.NONE
    if is_compressed and private.is_clipped_by_learners and not private.is_local:
        yield Problem(
            "training_configuration.compression",
            "What compression rounds away is added to a later update, which then exceeds the "
            'norm. Let the aggregator clip ("clipping": "server"), or do not compress.',
        )
    learners = sla.learners
    if private.delta * learners >= 1:
        yield Problem(
            f"{PRIVACY}.delta",
            f"With {learners} learners it has to be below {1 / learners:g}: otherwise the promise "
            "would hold for a mechanism that publishes what one of them has.",
        )


def _means() -> str:
    """Return the strategies that need the mean of the answers only."""
    return ", ".join(item for item, facts in STRATEGIES.items() if facts.is_mean)

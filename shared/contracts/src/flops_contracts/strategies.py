"""The strategies of Flower's message API, and what each takes: checked before anything is deployed.

Left out are those that average no parameters (FedXgbBagging, FedXgbCyclic: they collect trees) and
the wrappers that add privacy to another strategy.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final


@dataclass(frozen=True)
class Parameter:
    """A number between ``low`` and ``high``, without these two where they are open.

    Without a ``default``, which is Flower's, it has to be told.
    """

    meaning: str
    default: float | None = None
    low: float = 0.0
    high: float = math.inf
    is_low_open: bool = False
    is_high_open: bool = False
    is_whole: bool = False

    def admits(self, value: Any) -> bool:
        """Return whether ``value`` is valid."""
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not math.isfinite(value)
        ):
            return False
        above = self.low < value if self.is_low_open else self.low <= value
        below = value < self.high if self.is_high_open else value <= self.high
        return above and below and (not self.is_whole or value == int(value))

    @property
    def words(self) -> str:
        """The valid values as text."""
        number = "a whole number" if self.is_whole else "a number"
        low = f"greater than {self.low:g}" if self.is_low_open else f"of at least {self.low:g}"
        if self.high == math.inf:
            return f"{number} {low}"
        high = f"less than {self.high:g}" if self.is_high_open else f"at most {self.high:g}"
        return f"{number} {low} and {high}"


def _one(_parameters: Mapping[str, float]) -> int:
    return 1


def _three(_parameters: Mapping[str, float]) -> int:
    return 3


@dataclass(frozen=True)
class StrategyFacts:
    """The facts about a strategy.

    ``least_clients`` are how many answers a round needs for what its ``source`` promises;
    ``needs_train_loss``: learners tell the loss of the parameters that they were sent;
    ``takes_steps``: it moves from the last parameters instead of taking an average;
    ``is_mean``: all that it needs of the answers is their mean.
    """

    does: str
    source: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    least_clients: Callable[[Mapping[str, float]], int] = _one
    least_words: str = ""
    needs_train_loss: bool = False
    takes_steps: bool = False
    is_mean: bool = False

    @property
    def required(self) -> frozenset[str]:
        """The parameters that have to be told."""
        return frozenset(name for name, item in self.parameters.items() if item.default is None)

    def with_defaults(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """Return all parameters, of which ``parameters`` are told."""
        defaults = {name: item.default or 0.0 for name, item in self.parameters.items()}
        return {**defaults, **parameters}


def _for_krum(parameters: Mapping[str, float]) -> int:
    return 2 * int(parameters["num_malicious_nodes"]) + 3


def _for_multi_krum(parameters: Mapping[str, float]) -> int:
    return max(_for_krum(parameters), int(parameters["num_nodes_to_select"]))


def _for_bulyan(parameters: Mapping[str, float]) -> int:
    return 4 * int(parameters["num_malicious_nodes"]) + 3


def _for_trimming(parameters: Mapping[str, float]) -> int:
    """Return from how many on at least one is cut off at each end."""
    return math.ceil(1 / parameters["beta"]) if parameters["beta"] else 1


_RATE: Final = {"low": 0.0, "is_low_open": True}
_DECAY: Final = {"low": 0.0, "high": 1.0, "is_high_open": True}
_REDDI: Final = "Reddi et al. 2021, Adaptive Federated Optimization"
_BLANCHARD: Final = "Blanchard et al. 2017, Machine Learning with Adversaries"
_MALICIOUS: Final = Parameter("how many learners may lie", 0, is_whole=True)


def _adaptive(eta: float, eta_l: float, **more: Parameter) -> dict[str, Parameter]:
    return {
        "eta": Parameter("the server's learning rate", eta, **_RATE),  # type: ignore[arg-type]
        "eta_l": Parameter("the learners' learning rate", eta_l, **_RATE),  # type: ignore[arg-type]
        **more,
        "tau": Parameter("how adaptive: smaller is more", 0.001, **_RATE),  # type: ignore[arg-type]
    }


def _moments() -> dict[str, Parameter]:
    return {
        "beta_1": Parameter("how slowly the mean follows", 0.9, **_DECAY),  # type: ignore[arg-type]
        "beta_2": Parameter("how slowly the variance follows", 0.99, **_DECAY),  # type: ignore[arg-type]
    }


STRATEGIES: Final[Mapping[str, StrategyFacts]] = {
    "FedAvg": StrategyFacts(
        "the mean, weighted by samples",
        "McMahan et al. 2017, Communication-Efficient Learning of Deep Networks",
        is_mean=True,
    ),
    "FedProx": StrategyFacts(
        "FedAvg of learners that stay near what they were sent, if `fit_model` helps",
        "Li et al. 2020, Federated Optimization in Heterogeneous Networks",
        {"proximal_mu": Parameter("how strongly they are held")},
        is_mean=True,
    ),
    "FedAvgM": StrategyFacts(
        "FedAvg with momentum at the server",
        "Hsu et al. 2019, Measuring the Effects of Non-Identical Data Distribution",
        {
            "server_learning_rate": Parameter("the server's learning rate", 1.0, is_low_open=True),
            "server_momentum": Parameter(
                "the part of the last step that goes on", 0.0, high=1.0, is_high_open=True
            ),
        },
        takes_steps=True,
        is_mean=True,
    ),
    "FedAdagrad": StrategyFacts(
        "Adagrad at the server", _REDDI, _adaptive(0.1, 0.1), takes_steps=True, is_mean=True
    ),
    "FedAdam": StrategyFacts(
        "Adam at the server",
        _REDDI,
        _adaptive(0.1, 0.1, **_moments()),
        takes_steps=True,
        is_mean=True,
    ),
    "FedYogi": StrategyFacts(
        "Yogi at the server",
        _REDDI,
        _adaptive(0.01, 0.0316, **_moments()),
        takes_steps=True,
        is_mean=True,
    ),
    "QFedAvg": StrategyFacts(
        "those with a high loss count more, which is fairer",
        "Li et al. 2020, Fair Resource Allocation in Federated Learning",
        {
            "client_learning_rate": Parameter(
                "the learners' learning rate; its inverse is the Lipschitz constant",
                is_low_open=True,
            ),
            "q": Parameter("how much fairness counts; 0 is none", 0.1),
        },
        needs_train_loss=True,
        takes_steps=True,
    ),
    "FedMedian": StrategyFacts(
        "the median of each number",
        "Yin et al. 2018, Byzantine-Robust Distributed Learning",
        least_clients=_three,
        least_words="3, for the median of two is their mean",
    ),
    "FedTrimmedAvg": StrategyFacts(
        "the mean of each number without the largest and smallest",
        "Yin et al. 2018, Byzantine-Robust Distributed Learning",
        {
            "beta": Parameter(
                "the part that is cut off at each end", 0.2, high=0.5, is_high_open=True
            )
        },
        _for_trimming,
        "1 / beta, so that somebody is cut off",
    ),
    "Krum": StrategyFacts(
        "the answer that is nearest to its neighbours",
        _BLANCHARD,
        {"num_malicious_nodes": _MALICIOUS},
        _for_krum,
        "2 x num_malicious_nodes + 3",
    ),
    "MultiKrum": StrategyFacts(
        "the mean of the answers that are nearest to their neighbours",
        _BLANCHARD,
        {
            "num_malicious_nodes": _MALICIOUS,
            "num_nodes_to_select": Parameter("of how many the mean is", 1, low=1, is_whole=True),
        },
        _for_multi_krum,
        "2 x num_malicious_nodes + 3, and num_nodes_to_select",
    ),
    "Bulyan": StrategyFacts(
        "answers chosen by Krum, then a trimmed mean of each number",
        "El Mhamdi et al. 2018, The Hidden Vulnerability of Distributed Learning",
        {"num_malicious_nodes": _MALICIOUS},
        _for_bulyan,
        "4 x num_malicious_nodes + 3",
    ),
}


def parameter_problems(name: str, parameters: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the parameters of a strategy that there is."""
    takes = STRATEGIES[name].parameters
    problems = [_foreign(name, parameter) for parameter in parameters if parameter not in takes]
    missing = sorted(STRATEGIES[name].required - set(parameters))
    if missing:
        needs = ", ".join(
            f"{item} ({takes[item].meaning}: {takes[item].words})" for item in missing
        )
        problems.append(f"{name} needs {needs}.")
    return problems + [
        f"{item} must be {takes[item].words}, not {value!r}."
        for item, value in parameters.items()
        if item in takes and not takes[item].admits(value)
    ]


def least_clients(name: str, parameters: Mapping[str, Any]) -> int:
    """Return how many answers a round needs for what the strategy promises."""
    facts = STRATEGIES[name]
    return facts.least_clients(facts.with_defaults(parameters))


def _foreign(name: str, parameter: str) -> str:
    takes = sorted(STRATEGIES[name].parameters)
    near = get_close_matches(parameter, takes, n=1)
    if near:
        return f"{name} takes no {parameter}. Did you mean '{near[0]}'?"
    return f"{name} takes {', '.join(takes) or 'no parameters'}, not {parameter}."

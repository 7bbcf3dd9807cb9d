"""What an aggregator is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flops_contracts.privacy import NO_PRIVACY, Privacy
from flops_contracts.roles import Role
from flops_contracts.sla import (
    HIGHEST_ACCURACY,
    RETURN_SECONDS,
    BestBy,
    Compression,
    Direction,
    Flavor,
    Metric,
    Parametrised,
)
from flops_grid.wire.tls import TlsFiles
from flops_runtime.environment import REQUIRED, Environment
from flops_runtime.settings import ActorSettings, privacy_from

PORT_SETTING: Final = "FLOPS_GRID_PORT"


@dataclass(frozen=True)
class TrackingSettings:
    """Where MLflow is, and what the training is called there."""

    url: str
    experiment: str
    model_name: str
    flavor: Flavor
    ml_repo_url: str
    commit: str
    connect_timeout_seconds: float = 120.0

    @classmethod
    def from_env(cls, environment: Environment, *, has_parent: bool) -> "TrackingSettings":
        """Read them; the caller calls ``environment.check()``. Only a root publishes a model."""
        flavor = environment.text(
            "FLOPS_ML_MODEL_FLAVOR",
            Flavor.SKLEARN if has_parent else REQUIRED,
            help="The ML library of the model; the root's.",
            choices=tuple(Flavor),
        )
        return cls(
            url=environment.text("FLOPS_MLFLOW_URL", help="The tracking server's URL."),
            experiment=environment.text("FLOPS_EXPERIMENT_NAME", help="Experiment in MLflow."),
            model_name=environment.text(
                "FLOPS_MODEL_NAME",
                "" if has_parent else REQUIRED,
                help="Registered model in MLflow; the root's.",
            ),
            flavor=Flavor(flavor) if flavor in set(Flavor) else Flavor.SKLEARN,
            ml_repo_url=environment.text("FLOPS_ML_REPO_URL", "", help="For MLflow's tags."),
            commit=environment.text("FLOPS_COMMIT", "", help="For MLflow's tags."),
            connect_timeout_seconds=environment.seconds(
                "FLOPS_MLFLOW_TIMEOUT_SECONDS",
                cls.connect_timeout_seconds,
                help="How long the tracking server may be out of reach.",
            ),
        )


@dataclass(frozen=True)
class TrainingSettings:
    """How many rounds, with whom, by which strategy, and how long to wait for what."""

    rounds: int
    learners: int
    min_available: int
    min_fit: int
    min_evaluate: int
    strategy: Parametrised
    round_timeout_seconds: float
    join_timeout_seconds: float
    settle_seconds: float
    return_timeout_seconds: float
    take_first: int = 0
    checkpoint_every_rounds: int = 1
    compression: Compression = Compression.NONE
    best_by: BestBy = HIGHEST_ACCURACY
    privacy: Privacy = NO_PRIVACY
    leads_clusters: bool = False

    @classmethod
    def from_env(cls, environment: Environment) -> "TrainingSettings":
        """Read them; the caller calls ``environment.check()``."""
        return cls(
            rounds=_count(
                environment,
                "FLOPS_TRAINING_ROUNDS",
                3,
                "Rounds to train, for each request of a parent.",
            ),
            learners=_count(environment, "FLOPS_LEARNERS", 1, "Learners that were started."),
            min_available=_count(
                environment, "FLOPS_MIN_AVAILABLE_CLIENTS", 1, "Learners needed to begin a round."
            ),
            min_fit=_count(
                environment, "FLOPS_MIN_FIT_CLIENTS", 1, "Learners that have to train in a round."
            ),
            min_evaluate=_count(
                environment, "FLOPS_MIN_EVALUATE_CLIENTS", 1, "Learners that have to evaluate."
            ),
            strategy=_strategy(
                environment.document(
                    "FLOPS_STRATEGY", {"name": "FedAvg"}, help="Strategy: name and parameters."
                )
            ),
            round_timeout_seconds=environment.seconds(
                "FLOPS_ROUND_TIMEOUT_SECONDS", 3600, help="Longest training of a round."
            ),
            join_timeout_seconds=environment.seconds(
                "FLOPS_JOIN_TIMEOUT_SECONDS", 300, help="How long to wait for the first learners."
            ),
            settle_seconds=environment.seconds(
                "FLOPS_SETTLE_SECONDS", 10, help="How long to wait for the rest of them."
            ),
            return_timeout_seconds=environment.seconds(
                "FLOPS_RETURN_TIMEOUT_SECONDS",
                RETURN_SECONDS,
                help="How long to wait for learners that were lost, when too few are left.",
            ),
            take_first=environment.whole(
                "FLOPS_TAKE_FIRST", 0, help="Answers that are enough for a round; 0 is all."
            ),
            checkpoint_every_rounds=_count(
                environment, "FLOPS_CHECKPOINT_EVERY_ROUNDS", 1, "Rounds from one to the next."
            ),
            compression=_compression(environment),
            best_by=_best_by(environment),
            privacy=privacy_from(environment),
            leads_clusters=environment.flag(
                "FLOPS_LEADS_CLUSTERS", False, help="Whether the clients are clusters' aggregators."
            ),
        )


@dataclass(frozen=True)
class ParentSettings:
    """The aggregator that this one's clients are one client of."""

    address: str
    token: str = field(repr=False)
    timeout_seconds: float = 300.0

    @classmethod
    def from_env(cls, environment: Environment) -> "ParentSettings | None":
        """Read them, None for a root; the caller calls ``environment.check()``."""
        parent = cls(
            address=environment.text(
                "FLOPS_PARENT_ADDRESS", "", help="Aggregator above: host:port; empty at the root."
            ),
            token=environment.text("FLOPS_PARENT_TOKEN", "", help="What to show there."),
            timeout_seconds=environment.seconds(
                "FLOPS_PARENT_TIMEOUT_SECONDS",
                cls.timeout_seconds,
                help="How long the aggregator above may be out of reach, all in one go.",
            ),
        )
        return parent if parent.address else None


@dataclass(frozen=True)
class Settings:
    """All of it; a root has no parent."""

    actor: ActorSettings
    parent: ParentSettings | None
    grid_token: str = field(repr=False)
    port: int
    tls: TlsFiles
    training: TrainingSettings
    tracking: TrackingSettings

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; the caller calls ``environment.check()``."""
        parent = ParentSettings.from_env(environment)
        role = Role.CLUSTER_AGGREGATOR if parent else Role.AGGREGATOR
        return cls(
            actor=ActorSettings.from_env(environment, role),
            parent=parent,
            grid_token=environment.text(
                "FLOPS_GRID_TOKEN", help="What the project's learners have to show."
            ),
            port=environment.whole(
                PORT_SETTING, 8080, help="Port that learners dial.", maximum=65535
            ),
            tls=TlsFiles.from_env(environment),
            training=TrainingSettings.from_env(environment),
            tracking=TrackingSettings.from_env(environment, has_parent=parent is not None),
        )


def _count(environment: Environment, name: str, default: int, text: str) -> int:
    return environment.whole(name, default, help=text, minimum=1)


def _compression(environment: Environment) -> Compression:
    found = environment.text(
        "FLOPS_COMPRESSION",
        Compression.NONE,
        help="In which type clients send their updates.",
        choices=tuple(Compression),
    )
    return Compression(found) if found in set(Compression) else Compression.NONE


def _best_by(environment: Environment) -> BestBy:
    known = [BestBy(metric, direction) for metric in Metric for direction in Direction]
    rules = {f"{one.metric} {one.direction}": one for one in known}
    default = HIGHEST_ACCURACY
    found = environment.text(
        "FLOPS_BEST_BY",
        f"{default.metric} {default.direction}",
        help="By which metric, and which end of it, the best round is found.",
        choices=tuple(rules),
    )
    return rules.get(found, default)


def _strategy(document: Any) -> Parametrised:
    if not isinstance(document, Mapping):
        return Parametrised(str(document))
    return Parametrised(str(document.get("name", "FedAvg")), document.get("parameters") or {})

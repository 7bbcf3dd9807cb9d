"""The actors' orders: one for each role, written by the manager and read by the actor.

Both ends use the same class, as environment variables (``flops_runtime.environment``). Tokens and
passwords are not part of an order; ``access.py`` has them.
"""

from dataclasses import dataclass, field
from typing import Final

from flops_contracts.declared import about, declared
from flops_contracts.names import IMAGE_PREFIX
from flops_contracts.ports import MODEL_PORT, OBSERVER_PORT, TRACKING_PORT
from flops_contracts.privacy import NO_PRIVACY, Privacy
from flops_contracts.sla import (
    HIGHEST_ACCURACY,
    RETURN_SECONDS,
    BestBy,
    Compression,
    DataSplit,
    Direction,
    Flavor,
    Metric,
    MockDataConfiguration,
    Parametrised,
    Platform,
)
from flops_contracts.version import VERSION


@dataclass(frozen=True)
class Assignment:
    """Which part an actor has in which project; see ``MockAssignment``."""

    instance: str = field(
        metadata=about("Service name of this process at the root.", "FLOPS_INSTANCE")
    )
    stage: str = field(
        metadata=about("Stage it was started for; repeated in every event.", "FLOPS_STAGE")
    )
    subject_id: str = field(metadata=about("Id of the project.", "FLOPS_PROJECT_ID"))
    cluster: str = declared("", "Cluster it was placed in.", "FLOPS_CLUSTER")
    node: str = declared("", "Node it was placed on.", "FLOPS_NODE")
    heartbeat_seconds: float = declared(10.0, "Time between heartbeats.", "FLOPS_HEARTBEAT_SECONDS")
    ships_logs: bool = declared(True, "Send logs to the manager.", "FLOPS_SHIP_LOGS")


MOCK_ID: Final = about("Id of the mock.", "FLOPS_MOCK_ID")


@dataclass(frozen=True)
class MockAssignment(Assignment):
    """Which part an actor has in which mock."""

    subject_id: str = field(metadata=MOCK_ID)


def _clients(help: str, env: str) -> int:
    count: int = declared(1, help, env, minimum=1)
    return count


@dataclass(frozen=True)
class TrainOrder:
    """How an aggregator trains with its clients: learners, or the aggregators of clusters."""

    rounds: int = declared(
        3, "Rounds to train, for each request of a parent.", "FLOPS_TRAINING_ROUNDS", minimum=1
    )
    clients: int = _clients("Clients that were started.", "FLOPS_LEARNERS")
    min_available: int = _clients(
        "Clients that a round needs to begin.", "FLOPS_MIN_AVAILABLE_CLIENTS"
    )
    min_fit: int = _clients("Clients that have to train in a round.", "FLOPS_MIN_FIT_CLIENTS")
    min_evaluate: int = _clients(
        "Clients that have to evaluate in a round.", "FLOPS_MIN_EVALUATE_CLIENTS"
    )
    strategy: Parametrised = declared(
        Parametrised("FedAvg"), "Strategy: name and parameters.", "FLOPS_STRATEGY"
    )
    round_timeout_seconds: float = declared(
        3600.0, "Longest training of a round.", "FLOPS_ROUND_TIMEOUT_SECONDS"
    )
    join_timeout_seconds: float = declared(
        300.0, "How long to wait for the first clients.", "FLOPS_JOIN_TIMEOUT_SECONDS"
    )
    settle_seconds: float = declared(
        10.0, "How long to wait for the other clients after that.", "FLOPS_SETTLE_SECONDS"
    )
    return_timeout_seconds: float = declared(
        float(RETURN_SECONDS),
        "How long to wait for lost clients to return, when too few are left.",
        "FLOPS_RETURN_TIMEOUT_SECONDS",
    )
    take_first: int = declared(
        0, "Replies that are enough for a round; 0: all.", "FLOPS_TAKE_FIRST"
    )
    checkpoint_every_rounds: int = declared(
        1, "Rounds from checkpoint to checkpoint.", "FLOPS_CHECKPOINT_EVERY_ROUNDS", minimum=1
    )
    compression: Compression = declared(
        Compression.NONE, "Type in which clients send updates.", "FLOPS_COMPRESSION"
    )
    best_by: BestBy = declared(
        HIGHEST_ACCURACY,
        "Metric that the best round is chosen by, and which end of it is best.",
        "FLOPS_BEST_BY",
        choices=tuple(f"{metric} {direction}" for metric in Metric for direction in Direction),
        parse=BestBy.from_text,
    )
    privacy: Privacy = declared(
        NO_PRIVACY, "What protects the data of learners, as in the SLA.", "FLOPS_PRIVACY"
    )
    leads_clusters: bool = declared(
        False, "Whether the clients are aggregators of clusters.", "FLOPS_LEADS_CLUSTERS"
    )


@dataclass(frozen=True)
class TrackOrder:
    """Where MLflow is, and what a training is called there."""

    url: str = field(metadata=about("URL of the tracking server.", "FLOPS_MLFLOW_URL"))
    experiment: str = field(metadata=about("Experiment in MLflow.", "FLOPS_EXPERIMENT_NAME"))
    model_name: str = declared(
        "", "Registered model in MLflow; required at the root.", "FLOPS_MODEL_NAME"
    )
    flavor: Flavor = declared(Flavor.SKLEARN, "ML library of the model.", "FLOPS_ML_MODEL_FLAVOR")
    ml_repo_url: str = declared("", "Repository URL, stored as an MLflow tag.", "FLOPS_ML_REPO_URL")
    commit: str = declared("", "Commit, stored as an MLflow tag.", "FLOPS_COMMIT")


@dataclass(frozen=True)
class LearnOrder:
    """Which data a learner trains on, and with which aggregator."""

    aggregator_address: str = field(
        metadata=about("Aggregator to learn for: host:port.", "FLOPS_AGGREGATOR_ADDRESS")
    )
    data_tags: tuple[str, ...] = declared((), "Tags of the data to train on.", "FLOPS_DATA_TAGS")
    learner_index: int = declared(
        0, "Number of this learner on its node, from 0.", "FLOPS_LEARNER_INDEX"
    )
    node_learners: int = _clients("Learners of the project on this node.", "FLOPS_NODE_LEARNERS")
    data_split: DataSplit = declared(
        DataSplit.EXCLUSIVE,
        "Whether the learners of a node divide its data or share all of it.",
        "FLOPS_DATA_SPLIT",
    )
    customer_id: str = declared(
        "", "Customer of the project, for data with restricted use.", "FLOPS_CUSTOMER"
    )
    privacy: Privacy = declared(
        NO_PRIVACY, "What protects the data of learners, as in the SLA.", "FLOPS_PRIVACY"
    )


@dataclass(frozen=True)
class ProvideOrder:
    """Which part of a dataset a mock data provider stores on its node."""

    request: MockDataConfiguration
    node_index: int = declared(0, "Which of FLOPS_NODES this one is, from 0.", "FLOPS_NODE_INDEX")


ACTORS = "actors"
MODEL = "model"


@dataclass(frozen=True)
class BuildOrder:
    """The image-builder's order: images of a repository's actors, or of a model."""

    registry: str = field(
        metadata=about(
            "host:port that the references of built images begin with.", "FLOPS_IMAGE_REGISTRY"
        )
    )
    flavor: Flavor = field(metadata=about("ML library.", "FLOPS_ML_MODEL_FLAVOR"))
    build: str = declared(ACTORS, "What to build.", "FLOPS_BUILD", choices=(ACTORS, MODEL))
    ml_repo_url: str = declared(
        "", "Git URL of the ML repository; required for actors.", "FLOPS_ML_REPO_URL"
    )
    ml_repo_ref: str = declared(
        "", "Branch, tag or commit; default the main branch.", "FLOPS_ML_REPO_REF"
    )
    platforms: tuple[Platform, ...] = declared(
        (Platform.LINUX_AMD64,), "Platforms to build for.", "FLOPS_SUPPORTED_PLATFORMS"
    )
    counts_privacy: bool = declared(
        False,
        "Whether the aggregator accounts for differential privacy.",
        "FLOPS_COUNTS_PRIVACY",
    )
    image_prefix: str = declared(
        IMAGE_PREFIX, "What references of FLOps' own images begin with.", "FLOPS_IMAGE_PREFIX"
    )
    image_tag: str = declared(VERSION, "Tag of FLOps' own images.", "FLOPS_IMAGE_TAG")

    def base(self, service: str) -> str:
        """Return the reference of one of FLOps' own images."""
        return f"{self.image_prefix}/{service}:{self.image_tag}"


@dataclass(frozen=True)
class ModelOrder:
    """Which trained model the image-builder puts into an image."""

    model_uri: str = field(metadata=about("MLflow's URI of the trained model.", "FLOPS_MODEL_URI"))
    run_id: str = field(metadata=about("MLflow run that trained it.", "FLOPS_RUN_ID"))
    customer_id: str = field(metadata=about("Customer that owns it.", "FLOPS_CUSTOMER"))
    actors_image: str = field(
        metadata=about("Aggregator image that trained it.", "FLOPS_ACTORS_IMAGE")
    )
    mlflow_url: str = field(
        metadata=about("Tracking server that the model is in.", "FLOPS_MLFLOW_URL")
    )


@dataclass(frozen=True)
class ServeOrder:
    """Where a model server answers; the model itself is part of its image."""

    port: int = declared(
        MODEL_PORT, "Port of the inference API.", "FLOPS_MODEL_PORT", maximum=65535
    )


@dataclass(frozen=True)
class ObserveOrder:
    """Where an observer shows what it saw of its project."""

    port: int = declared(
        OBSERVER_PORT, "Port of the observer's pages.", "FLOPS_PAGES_PORT", maximum=65535
    )


@dataclass(frozen=True)
class TrackingServerOrder:
    """Where a customer's tracking server answers; ``StoreAccess`` has its stores."""

    instance: str = declared("", "Service name of this process at the root.", "FLOPS_INSTANCE")
    allowed_hosts: tuple[str, ...] = declared(
        (),
        "Further Host headers that are answered: names or addresses, without ports.",
        "FLOPS_ALLOWED_HOSTS",
    )
    port: int = declared(TRACKING_PORT, "Port of MLflow.", "FLOPS_TRACKING_PORT", maximum=65535)

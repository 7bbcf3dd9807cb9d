"""The project SLA and the mock SLA: what a user may ask for, and the defaults.

Keys keep the spelling that the public manuals use. A document is checked whole: every problem
is reported at once, with its path.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, Final

from flops_contracts.privacy import NO_PRIVACY, Privacy


@unique
class Mode(StrEnum):
    """How aggregators are arranged."""

    CLASSIC = "classic"
    HIERARCHICAL = "hierarchical"


@unique
class Flavor(StrEnum):
    """The ML library of a repository; a subset of MLflow's flavors."""

    SKLEARN = "sklearn"
    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    KERAS = "keras"


@unique
class Platform(StrEnum):
    """A platform that images are built for, in the notation of OCI."""

    LINUX_AMD64 = "linux/amd64"
    LINUX_ARM64 = "linux/arm64"


@unique
class PostTrainingStep(StrEnum):
    """What may follow training."""

    BUILD = "build_image_for_trained_model"
    DEPLOY = "deploy_trained_model_image"


@unique
class DataSplit(StrEnum):
    """Whether the learners of one node get disjoint shares of its data, or all of it each."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


@unique
class Compression(StrEnum):
    """In which type clients send how the parameters changed; ``none`` sends the parameters."""

    NONE = "none"
    FLOAT16 = "float16"
    INT8 = "int8"


@dataclass(frozen=True)
class Parametrised:
    """A name and its parameters: a strategy, or a partitioner."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@unique
class Metric(StrEnum):
    """What a round is measured by: means over its learners, weighted by samples."""

    ACCURACY = "accuracy"
    LOSS = "loss"


@unique
class Direction(StrEnum):
    """Which end of a metric is the good one."""

    MAX = "max"
    MIN = "min"


@dataclass(frozen=True)
class BestBy:
    """By what the best round is found; among equals the other metric decides, in its usual way."""

    metric: Metric = Metric.ACCURACY
    direction: Direction = Direction.MAX


HIGHEST_ACCURACY: Final = BestBy()


@dataclass(frozen=True)
class StrategyChoice(Parametrised):
    """How parameters are combined, and which round's are kept."""

    best_by: BestBy = HIGHEST_ACCURACY


@dataclass(frozen=True)
class TrainingConfiguration:
    """How to train; in hierarchical mode the minima count per cluster.

    ``min_clusters`` is how many clusters a cycle of that mode needs. ``take_first_clients`` are the
    answers that are enough for a round, 0 all of them.
    """

    mode: Mode = Mode.CLASSIC
    data_tags: tuple[str, ...] = ()
    training_cycles: int = 1
    training_rounds: int = 3
    min_available_clients: int = 1
    min_fit_clients: int = 1
    min_evaluate_clients: int = 1
    min_clusters: int = 1
    take_first_clients: int = 0
    checkpoint_every_rounds: int = 1
    compression: Compression = Compression.NONE

    @property
    def is_hierarchical(self) -> bool:
        """Whether each cluster has an aggregator of its own."""
        return self.mode is Mode.HIERARCHICAL

    @property
    def minima(self) -> int:
        """How many learners meet every minimum: of the project, or of each of its clusters."""
        return max(self.min_available_clients, self.min_fit_clients, self.min_evaluate_clients)


@dataclass(frozen=True)
class ResourceConstraints:
    """What one learner needs. ``memory`` and ``storage`` in MB; 0 means no demand."""

    memory: int = 0
    vcpus: int = 0
    storage: int = 0


RETURN_SECONDS: Final = 60
"""How long an aggregator waits before a round for learners that were lost."""


@dataclass(frozen=True)
class ProjectSla:
    """A project as its owner asked for it.

    ``learners`` is how many to start, in hierarchical mode in each cluster.
    """

    customer_id: str
    ml_repo_url: str
    ml_model_flavor: Flavor
    ml_repo_ref: str = ""
    verbose: bool = False
    use_devel_base_images: bool = False
    supported_platforms: tuple[Platform, ...] = (Platform.LINUX_AMD64,)
    training_configuration: TrainingConfiguration = field(default_factory=TrainingConfiguration)
    post_training_steps: tuple[PostTrainingStep, ...] = ()
    resource_constraints: ResourceConstraints = field(default_factory=ResourceConstraints)
    strategy: StrategyChoice = field(default_factory=lambda: StrategyChoice("FedAvg"))
    round_timeout_seconds: int = 3600
    learners: int = 1
    data_split: DataSplit = DataSplit.EXCLUSIVE
    privacy: Privacy = NO_PRIVACY

    @property
    def cycle_timeout_seconds(self) -> int:
        """How long the root waits for a cluster: the longest that all its rounds may take.

        A round trains and then evaluates, each up to the round's timeout and each after waiting
        for learners that were lost. Who is dead or cut off is noticed in seconds, not by this.
        """
        longest_round = 2 * (self.round_timeout_seconds + RETURN_SECONDS)
        return self.training_configuration.training_rounds * longest_round


@dataclass(frozen=True)
class MockDataConfiguration:
    """Which dataset to split into how many fragments, and how.

    ``source`` is empty for a dataset of the Hugging Face hub, ``builtin:<name>`` for one that
    FLOps ships, or a path that the provider can read. ``nodes`` is how many learner nodes get
    partitions: the first partition goes to the first node, the second to the second, and around.
    """

    dataset_name: str
    data_tag: str
    number_of_partitions: int = 1
    split: str = "train"
    partitioner: Parametrised = field(default_factory=lambda: Parametrised("IidPartitioner"))
    seed: int = 42
    source: str = ""
    nodes: int = 1


@dataclass(frozen=True)
class MockSla:
    """A request for mock data."""

    customer_id: str
    mock_data_configuration: MockDataConfiguration

"""The project SLA and the mock SLA: what a user may ask for, and the defaults.

Keys keep the spelling that the public manuals use. A document is checked whole: every problem
is reported at once, with its path.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, Final

from flops_contracts.declared import about, declared, strict
from flops_contracts.partitioners import PARTITIONERS, parameter_problems, partitioner_problem
from flops_contracts.privacy import NO_PRIVACY, Privacy
from flops_contracts.strategies import STRATEGIES

DATA_TAG: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z"
"""What a data tag looks like; it becomes part of a file name, so it cannot hold a path."""

MAX_LEARNERS: Final = 1000
MAX_ROUNDS: Final = 10_000


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
    """Steps that may follow training."""

    BUILD = "build_image_for_trained_model"
    DEPLOY = "deploy_trained_model_image"


@unique
class DataSplit(StrEnum):
    """How a node's data are given to its learners: disjoint shares, or all data to each."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


@unique
class Compression(StrEnum):
    """In which type clients send how the parameters changed; ``none`` sends the parameters."""

    NONE = "none"
    FLOAT16 = "float16"
    INT8 = "int8"


@strict()
@dataclass(frozen=True)
class Parametrised:
    """A name and its parameters: a strategy, or a partitioner."""

    name: str = field(metadata=about(shortest=1))
    parameters: Mapping[str, Any] = field(default_factory=dict)


@unique
class Metric(StrEnum):
    """The metric of a round: a mean over its learners, weighted by samples."""

    ACCURACY = "accuracy"
    LOSS = "loss"


@unique
class Direction(StrEnum):
    """Which end of a metric is the good one."""

    MAX = "max"
    MIN = "min"


def _usual_direction(data: Mapping[str, Any]) -> Direction:
    return Direction.MIN if data["metric"] is Metric.LOSS else Direction.MAX


@strict()
@dataclass(frozen=True)
class BestBy:
    """Which round's parameters become the model; the other metric decides among equals."""

    metric: Metric = declared(Metric.ACCURACY, "Metric that rounds are compared by.")
    direction: Direction = declared(
        Direction.MAX,
        "Which end of it is best; by default the highest accuracy, or the lowest loss.",
        derive=_usual_direction,
    )

    def __str__(self) -> str:
        return f"{self.metric} {self.direction}"

    @classmethod
    def from_text(cls, text: str) -> "BestBy":
        """Return the rule that ``str`` writes like this."""
        metric, _, direction = text.partition(" ")
        return cls(Metric(metric), Direction(direction))


HIGHEST_ACCURACY: Final = BestBy()


@strict(name="Strategy")
@dataclass(frozen=True)
class StrategyChoice(Parametrised):
    """How parameters are combined, and which round's are kept."""

    name: str = field(
        metadata=about(
            "Class in `flwr.serverapp.strategy`; see [strategies](#strategies).",
            choices=tuple(sorted(STRATEGIES)),
        )
    )
    best_by: BestBy = declared(HIGHEST_ACCURACY, "Which round's parameters become the model.")


def _take_enough(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Refuse to take fewer replies than a round needs."""
    first = data["take_first_clients"]
    needed = max(data["min_fit_clients"], data["min_evaluate_clients"])
    if 0 < first < needed:
        problem = f"A round that needs {needed} clients cannot take the first {first}."
        yield "take_first_clients", problem


def _count(default: int, help: str, maximum: int = MAX_LEARNERS, env: str = "") -> Any:
    return declared(default, help, env, minimum=1, maximum=maximum)


@strict(_take_enough)
@dataclass(frozen=True)
class TrainingConfiguration:
    """How to train; in hierarchical mode the minima are those of each cluster."""

    mode: Mode = declared(Mode.CLASSIC, "One aggregator, or one in each cluster below a root.")
    data_tags: tuple[str, ...] = declared((), "Tags of the data to train on.", pattern=DATA_TAG)
    training_cycles: int = _count(1, "Hierarchical mode: rounds of the root.", MAX_ROUNDS)
    training_rounds: int = _count(3, "Rounds; in hierarchical mode in each cycle.", MAX_ROUNDS)
    min_available_clients: int = _count(1, "Learners that a round needs to begin.")
    min_fit_clients: int = _count(1, "Learners that have to train in a round.")
    min_evaluate_clients: int = _count(1, "Learners that have to evaluate in a round.")
    min_clusters: int = _count(1, "Hierarchical mode: clusters that a cycle needs.")
    take_first_clients: int = declared(
        0, "Replies that are enough for a round; 0: all.", minimum=0, maximum=MAX_LEARNERS
    )
    checkpoint_every_rounds: int = _count(1, "Rounds from checkpoint to checkpoint.", MAX_ROUNDS)
    compression: Compression = declared(Compression.NONE, "Type in which clients send updates.")

    @property
    def is_hierarchical(self) -> bool:
        """True if each cluster has its own aggregator."""
        return self.mode is Mode.HIERARCHICAL

    @property
    def minima(self) -> int:
        """How many learners meet every minimum: of the project, or of each of its clusters."""
        return max(self.min_available_clients, self.min_fit_clients, self.min_evaluate_clients)


@strict()
@dataclass(frozen=True)
class ResourceConstraints:
    """Resources that a learner needs; 0 means no requirement."""

    memory: int = declared(0, "Memory in MB.", minimum=0)
    vcpus: int = declared(0, "Virtual CPUs.", minimum=0)
    storage: int = declared(0, "Disk in MB.", minimum=0)


RETURN_SECONDS: Final = 60
"""How long an aggregator waits before a round for learners that were lost."""


def _credentials(url: str) -> str:
    if re.match(r"(?i)https?://[^/]*@|[a-z+]+://[^/@]*:[^/@]*@", url):
        return (
            "A URL must hold no user or password. Give the image-builder a deploy key or a token "
            "by its settings."
        )
    return ""


def _build_before_deployment(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    steps = data["post_training_steps"]
    if PostTrainingStep.DEPLOY in steps and PostTrainingStep.BUILD not in steps:
        problem = f"{PostTrainingStep.DEPLOY} needs {PostTrainingStep.BUILD} as well."
        yield "post_training_steps", problem


def _enough_learners(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    learners, minima = data["learners"], data["training_configuration"].minima
    if learners is not None and learners < minima:
        problem = f"{learners} learners can never meet a minimum of {minima} clients."
        yield "learners", problem


_CUSTOMER: Final = about("User that it belongs to.", key="customerID", shortest=1, longest=100)


@strict(_build_before_deployment, _enough_learners)
@dataclass(frozen=True)
class ProjectSla:
    """A project as its customer requested it."""

    customer_id: str = field(metadata=_CUSTOMER)
    ml_repo_url: str = field(
        metadata=about(
            "Git URL of the ML repository, without credentials.",
            shortest=1,
            longest=2000,
            check=_credentials,
        )
    )
    ml_model_flavor: Flavor = field(metadata=about("ML library of the repository."))
    ml_repo_ref: str = declared("", "Branch, tag or commit; default the main branch.", longest=250)
    verbose: bool = declared(False, "Whether actors log at level DEBUG.")
    use_devel_base_images: bool = declared(False, "Whether to build on the devel base images.")
    supported_platforms: tuple[Platform, ...] = declared(
        (Platform.LINUX_AMD64,), "Platforms that images are built for.", shortest=1
    )
    training_configuration: TrainingConfiguration = declared(TrainingConfiguration, "How to train.")
    post_training_steps: tuple[PostTrainingStep, ...] = declared((), "What follows training.")
    resource_constraints: ResourceConstraints = declared(
        ResourceConstraints, "What each learner needs."
    )
    strategy: StrategyChoice = declared(
        lambda: StrategyChoice("FedAvg"), "How parameters are combined; default FedAvg."
    )
    round_timeout_seconds: int = _count(3600, "Longest training of a round.", 7 * 24 * 3600)
    learners: int = declared(
        1,
        "Learners to start, in hierarchical mode in each cluster; by default what the minima need.",
        minimum=1,
        maximum=MAX_LEARNERS,
        derive=lambda data: data["training_configuration"].minima,
    )
    data_split: DataSplit = declared(
        DataSplit.EXCLUSIVE, "Whether the learners of a node divide its data or share all of it."
    )
    privacy: Privacy = declared(NO_PRIVACY, "What protects the data of learners.")

    @property
    def cycle_timeout_seconds(self) -> int:
        """How long the root waits for a cluster: the longest that all its rounds may take.

        A round trains and then evaluates, each up to the round's timeout and each after waiting
        for learners that were lost. A dead or disconnected cluster is noticed within seconds.
        """
        longest_round = 2 * (self.round_timeout_seconds + RETURN_SECONDS)
        return self.training_configuration.training_rounds * longest_round


def _fitting_parameters(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if problems := parameter_problems(data["name"], data["parameters"]):
        yield "parameters", problems


@strict(_fitting_parameters, name="Partitioner")
@dataclass(frozen=True)
class PartitionerChoice(Parametrised):
    """How a dataset is split."""

    name: str = field(
        metadata=about("Class in `flwr_datasets.partitioner`.", check=partitioner_problem)
    )


def _enough_partitions(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Refuse more nodes than partitions, where the SLA says how many there are."""
    partitions, nodes = data["number_of_partitions"], data["nodes"]
    if PARTITIONERS[data["partitioner"].name].counts and nodes > partitions:
        yield "nodes", f"{partitions} partitions cannot be spread over {nodes} nodes."


@strict(_enough_partitions)
@dataclass(frozen=True)
class MockDataConfiguration:
    """Which dataset to split into how many fragments, and how."""

    dataset_name: str = field(
        metadata=about("Name of the dataset.", "FLOPS_DATASET_NAME", shortest=1, longest=500)
    )
    data_tag: str = field(
        metadata=about("Tag to store the data under.", "FLOPS_DATA_TAG", pattern=DATA_TAG)
    )
    number_of_partitions: int = _count(
        1, "How many fragments to make.", MAX_ROUNDS, env="FLOPS_NUMBER_OF_PARTITIONS"
    )
    split: str = declared("train", "Split of the dataset.", "FLOPS_SPLIT", shortest=1)
    partitioner: PartitionerChoice = declared(
        lambda: PartitionerChoice("IidPartitioner"),
        "How to split; default IidPartitioner.",
        "FLOPS_PARTITIONER",
    )
    seed: int = declared(42, "Seed of shuffling and partitioning.", "FLOPS_SEED", parse=int)
    source: str = declared(
        "", "Empty for the Hugging Face hub, builtin:<name>, or a path.", "FLOPS_SOURCE"
    )
    nodes: int = _count(1, "Learner nodes that get partitions, in turn.", env="FLOPS_NODES")


@strict()
@dataclass(frozen=True)
class MockSla:
    """A request for mock data."""

    customer_id: str = field(metadata=_CUSTOMER)
    mock_data_configuration: MockDataConfiguration

"""One message of each sort with every field filled: what the goldens are written from."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flops_contracts.events import (
    Acknowledged,
    Actor,
    ActorImages,
    ActorsBuilt,
    DataLoaded,
    DataProvided,
    Empty,
    Event,
    Failure,
    Finished,
    Fragment,
    Heartbeat,
    Kind,
    LearnerPresence,
    LearnerRound,
    ModelBuilt,
    ModelServing,
    Notice,
    Progress,
    RoundCompleted,
    RoundStarted,
    StageChanged,
    Trained,
)
from flops_contracts.roles import Role
from flops_contracts.sla import (
    BestBy,
    Compression,
    DataSplit,
    Direction,
    Flavor,
    Metric,
    MockDataConfiguration,
    MockSla,
    Mode,
    PartitionerChoice,
    Platform,
    PostTrainingStep,
    ProjectSla,
    ResourceConstraints,
    StrategyChoice,
    TrainingConfiguration,
)

PROJECT_ID = "0123456789ab"
MOCK_ID = "ba9876543210"
BEGIN = datetime(2026, 4, 7, 12, 0, tzinfo=UTC)
LOCK = "5e" * 32
LEARNER = "lrn0x0a1b2c3d4e5f"
IMAGES = "registry:5073/ada/digits"

IMAGES_BUILT = ActorImages(learner=f"{IMAGES}/learner:1", aggregator=f"{IMAGES}/aggregator:1")

ROUND = RoundCompleted(
    round=1,
    rounds=3,
    loss=0.5,
    accuracy=0.875,
    seconds=2.5,
    cycle=1,
    metrics={"f1": 0.75},
    learners=(
        LearnerRound(LEARNER, samples=1500, fit_seconds=1.5, evaluate_seconds=0.25),
        LearnerRound("lrn1x5f4e3d2c1b0a", error="ValueError: no rows"),
    ),
)

TRAINED = Trained(
    run_id="ab" * 16,
    experiment_id="1",
    model_uri="models:/m-0011223344556677",
    model_name="digits",
    model_version="2",
    best_round=3,
    rounds=3,
    loss=0.25,
    accuracy=0.9375,
)

FRAGMENT = Fragment(
    name=f"mnist.{'0a' * 16}.parquet",
    rows=1500,
    bytes=400_000,
    labels={"0": 150},
    partition=2,
    node="munich/node1",
)

PAYLOADS: dict[Kind, tuple[Role, Any]] = {
    Kind.STARTED: (Role.BUILDER, Empty()),
    Kind.HEARTBEAT: (Role.LEARNER, Heartbeat("fitting", round=2, memory_mb=310.5, rows=1200)),
    Kind.PROGRESS: (Role.BUILDER, Progress("installing", done=3, total=12, unit="packages")),
    Kind.NOTICE: (Role.BUILDER, Notice("The pin of mlflow is dropped.")),
    Kind.FAILED: (
        Role.AGGREGATOR,
        Failure(
            reason="fit_model raised ValueError: no rows",
            exit_code=30,
            error="UserCodeError",
            hint="Look at model_manager.py.",
            where="model_manager.py:12",
            origin=LEARNER,
            origin_cluster="munich",
            round=2,
            cycle=1,
            last_lines=("fitting", "Traceback"),
        ),
    ),
    Kind.ACTORS_BUILT: (
        Role.BUILDER,
        ActorsBuilt(IMAGES_BUILT, "c0ffee" * 6 + "c0ff", "3.11", LOCK, reused=True),
    ),
    Kind.MODEL_BUILT: (Role.BUILDER, ModelBuilt("registry:5073/ada/trained_model:abab")),
    Kind.DATA_LOADED: (Role.LEARNER, DataLoaded(1500, 400_000, ("image", "label"))),
    Kind.LEARNER_JOINED: (Role.AGGREGATOR, LearnerPresence(LEARNER, present=1, expected=2)),
    Kind.LEARNER_LEFT: (Role.AGGREGATOR, LearnerPresence(LEARNER, 1, 2, "silent for 60 s")),
    Kind.ROUND_STARTED: (Role.AGGREGATOR, RoundStarted(round=1, rounds=3)),
    Kind.ROUND_COMPLETED: (Role.AGGREGATOR, ROUND),
    Kind.TRAINED: (Role.AGGREGATOR, TRAINED),
    Kind.FINISHED: (Role.LEARNER, Finished(rounds=3, samples=4500)),
    Kind.MODEL_SERVING: (Role.MODEL_SERVER, ModelServing(port=8080)),
    Kind.DATA_PROVIDED: (Role.MOCK_DATA_PROVIDER, DataProvided("mnist", (FRAGMENT,))),
    Kind.STAGE_CHANGED: (
        Role.MANAGER,
        StageChanged("failed", "training", reason="no data", hint="Provide data."),
    ),
    Kind.ACKNOWLEDGED: (Role.MANAGER, Acknowledged("11111111-2222-3333-4444-555555555555")),
}


def an_event(kind: Kind, *, after_seconds: float = 1.5) -> Event:
    """Return the sample event of ``kind``."""
    role, payload = PAYLOADS[kind]
    return Event(
        event_id="00000000-0000-4000-8000-000000000001",
        project_id=PROJECT_ID,
        actor=Actor(role, "svc0x0a1b2c3d4e5f", cluster="munich", node="node1"),
        stage="training",
        kind=kind,
        at=BEGIN + timedelta(seconds=after_seconds),
        payload=payload,
    )


PROJECT_SLA = ProjectSla(
    customer_id="ada",
    ml_repo_url="https://git.example/ada/digits",
    ml_model_flavor=Flavor.SKLEARN,
    ml_repo_ref="v1.2",
    verbose=True,
    use_devel_base_images=False,
    supported_platforms=(Platform.LINUX_AMD64, Platform.LINUX_ARM64),
    training_configuration=TrainingConfiguration(
        mode=Mode.HIERARCHICAL,
        data_tags=("mnist",),
        training_cycles=2,
        training_rounds=3,
        min_available_clients=2,
        min_fit_clients=2,
        min_evaluate_clients=2,
        min_clusters=2,
        take_first_clients=2,
        checkpoint_every_rounds=5,
        compression=Compression.INT8,
    ),
    post_training_steps=(PostTrainingStep.BUILD, PostTrainingStep.DEPLOY),
    resource_constraints=ResourceConstraints(memory=100, vcpus=1, storage=0),
    strategy=StrategyChoice("FedProx", {"proximal_mu": 0.5}, BestBy(Metric.LOSS, Direction.MIN)),
    round_timeout_seconds=600,
    learners=2,
    data_split=DataSplit.SHARED,
)

MOCK_SLA = MockSla(
    customer_id="ada",
    mock_data_configuration=MockDataConfiguration(
        dataset_name="mnist",
        data_tag="mnist",
        number_of_partitions=3,
        split="train",
        partitioner=PartitionerChoice(
            "DirichletPartitioner", {"alpha": 0.5, "partition_by": "label"}
        ),
        seed=7,
        source="builtin:mnist5k",
        nodes=2,
    ),
)

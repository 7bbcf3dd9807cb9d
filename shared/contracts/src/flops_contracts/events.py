"""The events sent over MQTT: the envelope, its kinds, and the payload of each kind.

Actors send events, the manager answers with orders on ``control``; both travel in one envelope.
``PAYLOADS`` says which kind carries what. A payload is never large: the longest text is a log tail.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from typing import Any

from flops_contracts.declared import about, declared
from flops_contracts.privacy import EPSILON
from flops_contracts.roles import Role

BYTES_DOWN = "bytes_down"
BYTES_UP = "bytes_up"
"""Metrics of a round: what its aggregator sent to its clients and got from them, all together."""

_COUNT = about(minimum=0)

LAST_LINES = 40
"""How many lines of its log an actor sends with a failure."""


@unique
class Kind(StrEnum):
    """The kind of an event. ``RESULTS`` are the last events of an actor."""

    # Any actor.
    STARTED = "started"
    HEARTBEAT = "heartbeat"
    PROGRESS = "progress"
    NOTICE = "notice"
    FAILED = "failed"
    # Image builder.
    ACTORS_BUILT = "actors_built"
    MODEL_BUILT = "model_built"
    # Learner and aggregator.
    DATA_LOADED = "data_loaded"
    LEARNER_JOINED = "learner_joined"
    LEARNER_LEFT = "learner_left"
    ROUND_STARTED = "round_started"
    ROUND_COMPLETED = "round_completed"
    TRAINED = "trained"
    FINISHED = "finished"
    # Model server and mock data provider.
    MODEL_SERVING = "model_serving"
    DATA_PROVIDED = "data_provided"
    # Manager, for people who watch.
    STAGE_CHANGED = "stage_changed"
    # Manager, on ``control``.
    ACKNOWLEDGED = "acknowledged"


RESULTS = frozenset(
    {
        Kind.FAILED,
        Kind.ACTORS_BUILT,
        Kind.MODEL_BUILT,
        Kind.TRAINED,
        Kind.FINISHED,
        Kind.DATA_PROVIDED,
    }
)
"""The kinds that end a one-shot actor: retained by the broker until the manager acknowledged."""

PASSING = frozenset({Kind.HEARTBEAT, Kind.PROGRESS})
"""The kinds that are said often, and that the next one makes old: not repeated, not traced."""


@dataclass(frozen=True)
class Actor:
    """The sender. ``instance`` is the Oakestra service name; cluster and node may be unknown."""

    role: Role
    instance: str
    cluster: str = ""
    node: str = ""


@dataclass(frozen=True)
class PublicEvent:
    """The part of an event that everybody may know.

    ``project_id`` is the mock's id on mock topics; ``at`` is UTC.
    """

    event_id: str = field(metadata=about(shortest=1, longest=64))
    project_id: str = field(metadata=about(shortest=1, longest=64))
    actor: Actor
    stage: str
    kind: Kind
    at: datetime
    payload: Any


@dataclass(frozen=True)
class Event(PublicEvent):
    """One message. ``trace`` is the traceparent of what it comes from, where traces are on."""

    # Without a trace the key is absent: receivers of older versions expect none.
    trace: str = declared("", longest=64, sparse=True)


@dataclass(frozen=True)
class Empty:
    """The payload of kinds that say everything by their name."""


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life. ``state`` is a word or two; memory in MB (10^6 bytes).

    ``round`` is the one that is under way or was the last, ``rows`` how many of data are loaded.
    """

    state: str
    round: int | None = None
    memory_mb: float | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far a long step is; ``total`` is None where nobody knows."""

    message: str
    done: float = 0
    total: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Notice:
    """Something the user should know, though nothing failed."""

    message: str


@dataclass(frozen=True)
class Failure:
    """Why an actor gives up.

    ``error`` is the class name, ``where`` a file and line or empty, ``origin`` the instance of
    the actor where it began, or empty if that is the sender. ``origin_cluster`` and ``cycle``
    are known when it began below a cluster's aggregator; ``round`` is then that cluster's.
    """

    reason: str
    exit_code: int
    error: str = ""
    hint: str = ""
    where: str = ""
    origin: str = ""
    origin_cluster: str = ""
    round: int | None = None
    cycle: int | None = None
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class ActorImages:
    """The references of a project's two images."""

    learner: str
    aggregator: str


@dataclass(frozen=True)
class ActorsBuilt:
    """The builder's result for actors; ``reused`` says that both images were there already."""

    images: ActorImages
    commit: str
    python_version: str
    dependency_lock: str
    reused: bool = False


@dataclass(frozen=True)
class ModelBuilt:
    """The builder's result for a trained model."""

    image: str
    reused: bool = False


@dataclass(frozen=True)
class DataLoaded:
    """A learner has its share: rows, bytes of Arrow data, and the names of the columns."""

    rows: int = field(metadata=_COUNT)
    bytes: int = field(metadata=_COUNT)
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class LearnerPresence:
    """A learner joined or left its aggregator."""

    learner: str
    present: int = field(metadata=_COUNT)
    expected: int = field(metadata=_COUNT)
    reason: str = ""


@dataclass(frozen=True)
class RoundStarted:
    """A round begins; rounds count from 1, again in each cycle of a hierarchical project.

    An aggregator over aggregators sets ``is_cycle``: its rounds are the project's cycles.
    """

    round: int = field(metadata=_COUNT)
    rounds: int = field(metadata=_COUNT)
    cycle: int = 1
    is_cycle: bool = False


@dataclass(frozen=True)
class LearnerRound:
    """A learner's part in a round: samples trained on, seconds of its own work, or an error.

    ``upload_seconds`` are from the first byte of its parameters to the last, as they arrived.
    ``is_surplus``: it was asked, but others had answered before it, and they were enough.
    """

    learner: str
    samples: int = declared(0, minimum=0)
    fit_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    upload_seconds: float = 0.0
    error: str = ""
    is_surplus: bool = False


@dataclass(frozen=True)
class RoundCompleted:
    """A round's sample-weighted metrics over the learners that evaluated; see ``RoundStarted``."""

    round: int = field(metadata=_COUNT)
    rounds: int = field(metadata=_COUNT)
    loss: float | None
    accuracy: float | None
    seconds: float
    cycle: int = 1
    metrics: Mapping[str, float] = field(default_factory=dict)
    learners: tuple[LearnerRound, ...] = ()
    is_cycle: bool = False

    @property
    def bytes_down(self) -> float | None:
        """The bytes that its aggregator sent to its clients, all together."""
        return self.metrics.get(BYTES_DOWN)

    @property
    def bytes_up(self) -> float | None:
        """The bytes that they sent back, all together."""
        return self.metrics.get(BYTES_UP)

    @property
    def epsilon(self) -> float | None:
        """The privacy budget that is spent by then."""
        return self.metrics.get(EPSILON)


@dataclass(frozen=True)
class Trained:
    """The aggregator's result: the best round's model, logged and registered in MLflow."""

    run_id: str
    experiment_id: str
    model_uri: str
    model_name: str
    model_version: str
    best_round: int = field(metadata=_COUNT)
    rounds: int = field(metadata=_COUNT)
    loss: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Finished:
    """A learner's result: how many rounds it trained and on how many samples.

    A cluster's aggregator says so of the rounds below it and of all its learners.
    """

    rounds: int = field(metadata=_COUNT)
    samples: int = field(metadata=_COUNT)


@dataclass(frozen=True)
class ModelServing:
    """The model answers on ``port`` of its service: /invocations, /ping, /version, /health."""

    port: int


@dataclass(frozen=True)
class Fragment:
    """One stored Parquet file. ``labels`` counts rows per label where there is a label column.

    A mock data provider says which ``partition`` it is, from 0, and on which ``node`` it lies.
    """

    name: str
    rows: int = field(metadata=_COUNT)
    bytes: int = field(metadata=_COUNT)
    labels: Mapping[str, int] = field(default_factory=dict)
    partition: int | None = None
    node: str = ""


@dataclass(frozen=True)
class DataProvided:
    """A mock data provider's result."""

    data_tag: str
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True)
class StageChanged:
    """The manager moved the project on; ``reason`` is set when it failed."""

    stage: str
    previous: str = ""
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Acknowledged:
    """The manager stored the event with this id; who sent it may end."""

    event_id: str


PAYLOADS: dict[Kind, type[Any]] = {
    Kind.STARTED: Empty,
    Kind.HEARTBEAT: Heartbeat,
    Kind.PROGRESS: Progress,
    Kind.NOTICE: Notice,
    Kind.FAILED: Failure,
    Kind.ACTORS_BUILT: ActorsBuilt,
    Kind.MODEL_BUILT: ModelBuilt,
    Kind.DATA_LOADED: DataLoaded,
    Kind.LEARNER_JOINED: LearnerPresence,
    Kind.LEARNER_LEFT: LearnerPresence,
    Kind.ROUND_STARTED: RoundStarted,
    Kind.ROUND_COMPLETED: RoundCompleted,
    Kind.TRAINED: Trained,
    Kind.FINISHED: Finished,
    Kind.MODEL_SERVING: ModelServing,
    Kind.DATA_PROVIDED: DataProvided,
    Kind.STAGE_CHANGED: StageChanged,
    Kind.ACKNOWLEDGED: Acknowledged,
}
"""What the payload of each kind is."""

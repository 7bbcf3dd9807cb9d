"""Trees of aggregators and learners in memory, whose messages cross the wire's own encoding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from flwr.app import ArrayRecord, Error, Message, MetricRecord, RecordDict

from flops_aggregator.checkpoints.files import NO_MEMORY, Checkpoint, Memory
from flops_aggregator.checkpoints.strategy_state import restore_state
from flops_aggregator.privacy.promises import build_protection
from flops_aggregator.rounds.cluster import Cluster
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.strategies import build_strategy, train_config
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_contracts.events import RoundCompleted, RoundStarted
from flops_contracts.orders import TrainOrder
from flops_grid.client.app import run_app
from flops_grid.errors import LearnerError
from flops_grid.messages.flower_internals import LEARNER_RAISED, set_message_id
from flops_grid.server.traffic import Moved
from flops_grid.wire.frames import read_frame
from flops_grid.wire.transfer import Assembler, message_frames
from flops_runtime.environment import read

Arrays = list[np.ndarray[Any, Any]]


class Client(Protocol):
    """A client of a grid: a learner, or a cluster of them."""

    def answer(self, message: Message) -> Message | None:
        """Return the reply, or None for silence."""


@dataclass
class Learner:
    """The answers of one learner; ``fit`` is added to the arrays, is them, or makes them."""

    fit: float | ArrayRecord | Callable[[Arrays], Arrays] = 1.0
    samples: float = 10
    loss: float = 0.5
    accuracy: float = 0.5
    error: LearnerError | None = None
    is_silent: bool = False
    seen: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, message: Message) -> Message | None:
        self.seen.append(dict(message.content["config"]))
        if self.is_silent:
            return None
        if self.error:
            return Message(Error(LEARNER_RAISED, self.error.to_text()), reply_to=message)
        metrics = {"num-examples": self.samples, "fit-seconds": 1.0, "evaluate-seconds": 0.1}
        metrics |= {"loss": self.loss, "accuracy": self.accuracy, "train_loss": self.loss}
        content = RecordDict({"metrics": MetricRecord(metrics)})
        if message.metadata.message_type == "train":
            content["arrays"] = self._trained(message.content["arrays"])
        return Message(content, reply_to=message)

    def _trained(self, arrays: ArrayRecord) -> ArrayRecord:
        if isinstance(self.fit, ArrayRecord):
            return self.fit
        sent = arrays.to_numpy_ndarrays()
        if callable(self.fit):
            return ArrayRecord(self.fit(sent))
        return ArrayRecord([np.asarray(array + self.fit) for array in sent])


@dataclass
class MemoryGrid:
    """Asks its clients in memory; the part of a grid that a training uses."""

    clients: Mapping[str, Client]
    names: list[str] = field(default_factory=list)
    carried: Moved = field(default_factory=Moved)

    def get_node_ids(self) -> list[int]:
        self.names = sorted(self.clients)
        return list(range(1, len(self.names) + 1))

    def wait_for_learners(self, _count: int, _timeout_seconds: float) -> list[str]:
        return self.names

    def name_of(self, node_id: int) -> str:
        return self.names[node_id - 1]

    def upload_seconds(self, node_id: int) -> float:
        return node_id / 100

    def has_aggregators(self) -> bool:
        return any(isinstance(client, MemoryCluster) for client in self.clients.values())

    def moved(self) -> Moved:
        return self.carried

    def resume(self) -> None:
        pass

    def send_and_receive(self, messages: list[Message], **_: Any) -> list[Message]:
        replies = []
        # Strategies draw their clients by chance; here they answer in the order of their names.
        in_order = sorted(messages, key=lambda message: message.metadata.dst_node_id)
        for number, message in enumerate(in_order):
            set_message_id(message, str(number))
            client = self.clients[self.name_of(message.metadata.dst_node_id)]
            reply = client.answer(over_the_wire(message))
            replies += [over_the_wire(reply)] if reply else []
            self.carried = Moved(
                self.carried.down + size_on_the_wire(message),
                self.carried.up + (size_on_the_wire(reply) if reply else 0),
            )
        return replies


@dataclass
class MemoryWatch:
    """Remembers the rounds."""

    started: list[RoundStarted] = field(default_factory=list)
    completed: list[RoundCompleted] = field(default_factory=list)
    waited: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def round_started(self, started: RoundStarted) -> None:
        self.started.append(started)

    def round_completed(self, completed: RoundCompleted) -> None:
        self.completed.append(completed)

    def waits(self, why: str) -> None:
        self.waited.append(why)

    def noticed(self, message: str) -> None:
        self.notices.append(message)


@dataclass
class MemoryRuns:
    """A run in MLflow that knows its parent as soon as that is set."""

    own: str = ""
    parents: list[str] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    noted: int = 0

    def nest_in(self, parent_run_id: str) -> None:
        self.parents.append(parent_run_id)

    def run_id(self) -> str:
        return self.own

    def latest_checkpoint(self) -> Checkpoint | None:
        return self.checkpoints[-1] if self.checkpoints else None

    def save_soon(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)

    def releases(self) -> int:
        return self.noted

    def note_releases(self, count: int) -> None:
        self.noted = count


class MemoryCluster:
    """A cluster's aggregator over clients in memory."""

    def __init__(
        self,
        clients: Mapping[str, Client],
        name: str = "",
        runs: MemoryRuns | None = None,
        **changes: Any,
    ) -> None:
        self.watch, self.runs = MemoryWatch(), runs or MemoryRuns(f"run of {name}")
        grid: Any = MemoryGrid(clients)
        self.cluster = Cluster(a_training(**changes), name, grid, self.watch, self.runs)

    def answer(self, message: Message) -> Message:
        return run_app(self.cluster.client_app(), message)


def a_training(**changes: Any) -> TrainOrder:
    """Return settings of one round that waits for nothing."""
    defaults = {"rounds": 1, "return_timeout_seconds": 0.01, "round_timeout_seconds": 5.0}
    return replace(read(TrainOrder, {}), **(defaults | changes))


def run(
    clients: Mapping[str, Client],
    /,
    first: Arrays | None = None,
    memory: Memory = NO_MEMORY,
    book: MemoryRuns | None = None,
    **changes: Any,
) -> tuple[Arrays, SupervisedStrategy, MemoryWatch]:
    """Run a root's training over ``clients``; return its last arrays, its strategy and watch."""
    training, watch = a_training(**changes), MemoryWatch()
    grid: Any = MemoryGrid(clients)
    place = Place(run_id=lambda: "run of the root")
    inner = build_strategy(training)
    protection = build_protection(training, book or MemoryRuns())
    if memory.since:
        restore_state(inner, training.strategy.name, memory.since.strategy)
        protection.restore(memory.since.strategy)
    strategy = SupervisedStrategy(
        inner, training, grid, watch, place, memory=memory, protection=protection
    )
    arrays = memory.since.arrays if memory.since else None
    first = first or [np.zeros(3, np.float32)]
    result = strategy.run(grid, arrays or ArrayRecord(first), train_config(training))
    return result.to_numpy_ndarrays(), strategy, watch


def size_on_the_wire(message: Message) -> int:
    """Return the bytes of its frames."""
    return sum(map(len, message_frames(message)))


def over_the_wire(message: Message) -> Message:
    """Return ``message`` as it arrives at the other end."""
    assembler = Assembler()
    fed = [assembler.feed(*read_frame(data)) for data in message_frames(message)]
    arrived = fed[-1]
    assert arrived is not None
    return arrived

"""Grids without connections: learners in processes, or clusters."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from flwr.app import Message

from flops_grid.messages.flower_internals import set_message_id
from flops_grid.server.traffic import Moved
from flops_simulator.workers import Workers

ASKED_SECONDS: Final = 3600.0


class Answerer(Protocol):
    """A cluster; its aggregator is an app as a learner is."""

    def answer(self, message: Message) -> Message:
        """Return the reply."""


class _Named:
    """Clients by their names, in this order; node ids count from 1."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._messages = 0

    def get_node_ids(self) -> list[int]:
        """Return all: none leaves."""
        return list(range(1, len(self._names) + 1))

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Return the names of all: none will join."""
        del count, timeout_seconds
        return self._names

    def name_of(self, node_id: int) -> str:
        """Return the name of one."""
        return self._names[node_id - 1]

    def upload_seconds(self, node_id: int) -> float:
        """Return 0: nothing is uploaded."""
        del node_id
        return 0.0

    def resume(self) -> None:
        """Do nothing: nothing is called off."""

    def call_off(self, reason: str) -> None:
        """Do nothing: no parent changes its mind."""

    def _in_order(self, messages: Iterable[Message]) -> list[Message]:
        """Set message ids as a grid does, in the order of names: strategies shuffle messages."""
        listed = sorted(messages, key=lambda message: message.metadata.dst_node_id)
        for message in listed:
            self._messages += 1
            set_message_id(message, str(self._messages))
        return listed


class LearnersGrid(_Named):
    """Learners with these numbers in ``workers``."""

    def __init__(self, workers: Workers, learners: Mapping[str, int]) -> None:
        super().__init__(list(learners))
        self._workers = workers
        self._numbers = list(learners.values())

    def has_aggregators(self) -> bool:
        """Return false."""
        return False

    def moved(self) -> Moved:
        """Return the bytes of all learners' messages."""
        return self._workers.moved

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Give the replies in the order of the learners' names; raise ``WorkerError``."""
        numbered = [
            (self._numbers[message.metadata.dst_node_id - 1], message)
            for message in self._in_order(messages)
        ]
        return self._workers.answers(numbered, timeout or ASKED_SECONDS)


class ClustersGrid(_Named):
    """Clusters by their aggregators' names, one after the other."""

    def __init__(self, clusters: Mapping[str, Answerer], workers: Workers) -> None:
        super().__init__(list(clusters))
        self._clusters = list(clusters.values())
        self._workers = workers

    def has_aggregators(self) -> bool:
        """Return true."""
        return True

    def moved(self) -> Moved:
        """Return the bytes of all learners' messages."""
        return self._workers.moved

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Give the replies in the order of the clusters' names."""
        del timeout
        for message in self._in_order(messages):
            yield self._clusters[message.metadata.dst_node_id - 1].answer(message)

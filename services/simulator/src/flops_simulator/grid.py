"""What an aggregator's rounds use of a grid, without lines: learners in processes, or clusters."""

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
        """Return all: who is here stays."""
        return list(range(1, len(self._names) + 1))

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Return who is here: nobody else will come."""
        del count, timeout_seconds
        return self._names

    def name_of(self, node_id: int) -> str:
        """Return the name of one."""
        return self._names[node_id - 1]

    def upload_seconds(self, node_id: int) -> float:
        """Return nothing: there are no lines."""
        del node_id
        return 0.0

    def resume(self) -> None:
        """Do nothing: nothing is called off."""

    def call_off(self, reason: str) -> None:
        """Do nothing: no parent changes its mind."""

    def _in_order(self, messages: Iterable[Message]) -> list[Message]:
        """Name messages as a grid does; strategies shuffle them, here names decide."""
        found = sorted(messages, key=lambda one: one.metadata.dst_node_id)
        for message in found:
            self._messages += 1
            set_message_id(message, str(self._messages))
        return found


class LearnersGrid(_Named):
    """Learners with these numbers in ``workers``."""

    def __init__(self, workers: Workers, learners: Mapping[str, int]) -> None:
        super().__init__(list(learners))
        self._workers = workers
        self._numbers = list(learners.values())

    def has_aggregators(self) -> bool:
        """Return no."""
        return False

    def moved(self) -> Moved:
        """Return what all learners' messages had."""
        return self._workers.moved

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Give the replies in the order of the learners' names; raise ``WorkerError``."""
        asked = [
            (self._numbers[one.metadata.dst_node_id - 1], one) for one in self._in_order(messages)
        ]
        return self._workers.answers(asked, timeout or ASKED_SECONDS)


class ClustersGrid(_Named):
    """Clusters by their aggregators' names, one after the other."""

    def __init__(self, clusters: Mapping[str, Answerer], workers: Workers) -> None:
        super().__init__(list(clusters))
        self._clusters = list(clusters.values())
        self._workers = workers

    def has_aggregators(self) -> bool:
        """Return yes."""
        return True

    def moved(self) -> Moved:
        """Return what all learners' messages had."""
        return self._workers.moved

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Give the replies in the order of the clusters' names."""
        del timeout
        for message in self._in_order(messages):
            yield self._clusters[message.metadata.dst_node_id - 1].answer(message)

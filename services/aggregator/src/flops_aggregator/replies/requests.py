"""Decides which clients a round asks, which ones it asks again, and which ones it leaves out.

It stands between Flower's loop, which sends messages and waits for all replies, and the grid. A
client that fails is asked again at once only if the round needs it; otherwise in the next round.
A client that fails ``MAX_FAILURES`` times in a row is left out until it has reconnected.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from flwr.app import Message

from flops_aggregator.metrics import REPLIES
from flops_contracts.orders import TrainOrder
from flops_grid.errors import LearnerError
from flops_grid.server.traffic import Moved

MAX_FAILURES: Final = 3


class Clients(Protocol):
    """The part of ``StreamGrid`` that the rounds use."""

    def get_node_ids(self) -> list[int]:
        """Return the ids of the clients that work can be sent to."""

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Wait until ``count`` are connected; return the names of those that are."""

    def name_of(self, node_id: int) -> str:
        """Return the name of a client."""

    def upload_seconds(self, node_id: int) -> float:
        """Return how long a client's last reply took to arrive."""

    def has_aggregators(self) -> bool:
        """Return whether the clients are aggregators with learners of their own."""

    def moved(self) -> Moved:
        """Return the bytes sent to and received from the clients so far."""

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send, and return the replies that come within ``timeout`` seconds."""


@dataclass(frozen=True)
class Present:
    """The connected clients; strategies ask a grid for nothing else. They stay the same."""

    node_ids: list[int]

    def get_node_ids(self) -> list[int]:
        """Return their ids."""
        return self.node_ids


@dataclass(frozen=True)
class Request:
    """A title for people, the minimum of good replies, and the check of each reply."""

    title: str
    minimum: int
    check: Callable[[Message], Message]


class Requests:
    """The part of a grid that a strategy's loop uses.

    ``left_out`` are the clients that failed too often, with the last error. ``report`` is called
    with a reason to wait.
    """

    def __init__(
        self,
        training: TrainOrder,
        clients: Clients,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._training = training
        self._clients = clients
        self._report = report
        self._clock = clock
        self._failures: dict[int, int] = {}
        self._request = Request("", 0, lambda reply: reply)
        self.left_out: dict[str, LearnerError] = {}

    def prepare(self, request: Request) -> None:
        """Use ``request`` for the messages that are sent next."""
        self._request = request

    def get_node_ids(self) -> list[int]:
        """Return the clients that are connected and not left out."""
        present = self._clients.get_node_ids()
        # A client that was away starts without failures.
        self._failures = {node_id: n for node_id, n in self._failures.items() if node_id in present}
        names = set(map(self._clients.name_of, self._failures))
        self.left_out = {name: error for name, error in self.left_out.items() if name in names}
        return [node_id for node_id in present if self._failures.get(node_id, 0) < MAX_FAILURES]

    def wait_for_enough(self, needed: int, title: str) -> list[int]:
        """Return the connected clients; wait once if there are fewer than ``needed``."""
        node_ids = self.get_node_ids()
        if len(node_ids) < needed:
            seconds = self._training.return_timeout_seconds
            self._report_wait(needed, len(node_ids), seconds, title)
            self._clients.wait_for_learners(needed, seconds)
            node_ids = self.get_node_ids()
        return node_ids

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Give the good replies as they come, then the errors of clients that failed for good."""
        end = self._clock() + (timeout or self._training.round_timeout_seconds)
        sent = {message.metadata.dst_node_id: message for message in messages}
        failed: dict[int, Message] = {}
        good, pending = 0, list(sent.values())
        enough = self._training.take_first or math.inf
        while pending and good < enough:
            for reply in self._replies(pending, end):
                node_id = reply.metadata.src_node_id
                self._count(reply)
                if reply.has_error():
                    failed[node_id] = reply
                    continue
                failed.pop(node_id, None)
                good += 1
                yield reply
                if good == enough:
                    break
            else:
                pending = self._retries(sent, failed, good, end)
        yield from failed.values()

    def _replies(self, messages: list[Message], end: float) -> Iterator[Message]:
        timeout = max(0.0, end - self._clock())
        yield from map(
            self._request.check, self._clients.send_and_receive(messages, timeout=timeout)
        )

    def _retries(
        self, sent: dict[int, Message], failed: dict[int, Message], good: int, end: float
    ) -> list[Message]:
        """Return the messages that the round still needs replies to."""
        if good >= self._request.minimum or not sent or self._clock() >= end:
            return []
        candidates = self._candidates(sent, failed)
        present = len(self._clients.get_node_ids())
        if not candidates and present < self._training.clients:
            seconds = min(self._training.return_timeout_seconds, end - self._clock())
            self._report_wait(self._request.minimum, good, seconds, self._request.title)
            self._clients.wait_for_learners(present + 1, seconds)
            candidates = self._candidates(sent, failed)
        sample = next(iter(sent.values()))
        retries = {node_id: _copy(sample, node_id) for node_id in candidates}
        sent.update(retries)
        return list(retries.values())

    def _candidates(self, sent: dict[int, Message], failed: dict[int, Message]) -> list[int]:
        """Return the connected clients that failed or were not asked."""
        return [
            node_id for node_id in self.get_node_ids() if node_id not in sent or node_id in failed
        ]

    def _report_wait(self, needed: int, available: int, seconds: float, title: str) -> None:
        peers = "clusters" if self._clients.has_aggregators() else "learners"
        self._report(
            f"{title} needs {needed} {peers}, {available} can: waiting up to {seconds:.0f} s"
        )

    def _count(self, reply: Message) -> None:
        node_id = reply.metadata.src_node_id
        REPLIES.labels("failed" if reply.has_error() else "good").inc()
        if not reply.has_error():
            self._failures.pop(node_id, None)
            return
        self._failures[node_id] = self._failures.get(node_id, 0) + 1
        if self._failures[node_id] >= MAX_FAILURES:
            name = self._clients.name_of(node_id)
            self.left_out[name] = LearnerError.from_text(reply.error.reason)


def _copy(message: Message, node_id: int) -> Message:
    """Return the same work for another client."""
    return Message(message.content, node_id, message.metadata.message_type)

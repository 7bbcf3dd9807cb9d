"""Who is asked in a round, who is asked again, and who is left out.

Between Flower's loop, which sends messages and waits for all replies, and the grid. A client that
fails is asked again at once only if the round cannot do without; otherwise in the next round. One
that fails ``FAILURES`` times in a row is left out of the rounds that follow until it has been away.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from flwr.app import Message

from flops_aggregator.metrics import REPLIES
from flops_aggregator.settings import TrainingSettings
from flops_grid.errors import LearnerError
from flops_grid.server.traffic import Moved

FAILURES: Final = 3
"""How often in a row the same client may fail before it is left out."""


class Clients(Protocol):
    """What is asked about the clients, and of them; ``StreamGrid`` is one."""

    def get_node_ids(self) -> list[int]:
        """Return the ids of those that work can be sent to."""

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Wait until ``count`` are connected; return who is."""

    def name_of(self, node_id: int) -> str:
        """Return the name of one."""

    def upload_seconds(self, node_id: int) -> float:
        """Return how long the last reply of one took to arrive."""

    def has_aggregators(self) -> bool:
        """Say whether they are aggregators with learners of their own."""

    def moved(self) -> Moved:
        """Return how many bytes were carried to and from them so far."""

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send and return the replies that come within ``timeout`` seconds."""


@dataclass(frozen=True)
class Present:
    """The only question that strategies ask a grid: who is there? The answer stays the same."""

    node_ids: list[int]

    def get_node_ids(self) -> list[int]:
        """Return who was there."""
        return self.node_ids


@dataclass(frozen=True)
class Wanted:
    """What an exchange is: its name for people, the minimum of good replies, and their check."""

    what: str
    minimum: int
    check: Callable[[Iterable[Message]], list[Message]]


class Asking:
    """What a strategy's loop uses of a grid; ``left_out`` are those that failed too often."""

    def __init__(
        self,
        training: TrainingSettings,
        clients: Clients,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._training = training
        self._clients = clients
        self._tell = tell
        self._clock = clock
        self._failures: dict[int, int] = {}
        self._wanted = Wanted("", 0, list)
        self.left_out: dict[str, LearnerError] = {}

    def want(self, wanted: Wanted) -> None:
        """Say what the next messages are about."""
        self._wanted = wanted

    def get_node_ids(self) -> list[int]:
        """Return who is there and not left out."""
        present = self._clients.get_node_ids()
        # Who has been away comes back as somebody new.
        self._failures = {one: n for one, n in self._failures.items() if one in present}
        names = {self._clients.name_of(one) for one in self._failures}
        self.left_out = {name: why for name, why in self.left_out.items() if name in names}
        return [one for one in present if self._failures.get(one, 0) < FAILURES]

    def wait_for_enough(self, needed: int, what: str) -> list[int]:
        """Return who is there, after a while of waiting if they are too few."""
        found = self.get_node_ids()
        if len(found) < needed:
            seconds = self._training.return_timeout_seconds
            self._tell_wait(needed, len(found), seconds, what)
            self._clients.wait_for_learners(needed, seconds)
            found = self.get_node_ids()
        return found

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Give checked replies as they come; of those that fail to the end, in the end."""
        end = self._clock() + (timeout or self._training.round_timeout_seconds)
        asked = {message.metadata.dst_node_id: message for message in messages}
        failed: dict[int, Message] = {}
        good, pending = 0, list(asked.values())
        enough = self._training.take_first or math.inf
        while pending and good < enough:
            for reply in self._asked_once(pending, end):
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
                pending = self._again(asked, failed, good, end)
        yield from failed.values()

    def _asked_once(self, messages: list[Message], end: float) -> Iterator[Message]:
        left = max(0.0, end - self._clock())
        for reply in self._clients.send_and_receive(messages, timeout=left):
            yield from self._wanted.check([reply])

    def _again(
        self, asked: dict[int, Message], failed: dict[int, Message], good: int, end: float
    ) -> list[Message]:
        """Return the messages that the round still needs answers to."""
        if good >= self._wanted.minimum or not asked or self._clock() >= end:
            return []
        askable = self._askable(asked, failed)
        present = len(self._clients.get_node_ids())
        if not askable and present < self._training.learners:
            seconds = min(self._training.return_timeout_seconds, end - self._clock())
            self._tell_wait(self._wanted.minimum, good, seconds, self._wanted.what)
            self._clients.wait_for_learners(present + 1, seconds)
            askable = self._askable(asked, failed)
        sample = next(iter(asked.values()))
        again = {one: _copy(sample, one) for one in askable}
        asked.update(again)
        return list(again.values())

    def _askable(self, asked: dict[int, Message], failed: dict[int, Message]) -> list[int]:
        """Return who is there and has failed, or was never asked."""
        return [one for one in self.get_node_ids() if one not in asked or one in failed]

    def _tell_wait(self, needed: int, have: int, seconds: float, what: str) -> None:
        whom = "clusters" if self._clients.has_aggregators() else "learners"
        self._tell(f"{what} needs {needed} {whom}, {have} can: waiting up to {seconds:.0f} s")

    def _count(self, reply: Message) -> None:
        node_id = reply.metadata.src_node_id
        REPLIES.labels("failed" if reply.has_error() else "good").inc()
        if not reply.has_error():
            self._failures.pop(node_id, None)
            return
        self._failures[node_id] = self._failures.get(node_id, 0) + 1
        if self._failures[node_id] >= FAILURES:
            name = self._clients.name_of(node_id)
            self.left_out[name] = LearnerError.from_text(reply.error.reason)


def _copy(message: Message, node_id: int) -> Message:
    """Return the same work for another client: all get the same."""
    return Message(message.content, node_id, message.metadata.message_type)

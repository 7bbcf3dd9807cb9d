"""The grid's state without its I/O: connected clients, pending messages, and replies.

A message stays pending until it has a reply, is forgotten, or its client has been away for longer
than the grace time; pending messages are sent again when their client reconnects.
"""

import logging
import math
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from threading import Condition
from typing import Final

from flwr.app import Error, Message

from flops_grid.errors import CalledOffError, LearnerError
from flops_grid.messages.flower_internals import LEARNER_GONE, set_message_id
from flops_grid.server.connections import Acknowledge, Goodbye, Presence, Seat, node_id_of
from flops_grid.server.intake import Intake
from flops_grid.wire.frames import size_of
from flops_grid.wire.transfer import Assembler, Held

logger = logging.getLogger(__name__)

LOST: Final = "the connection was lost"
LOOK_SECONDS: Final = 1.0


@dataclass
class _Node:
    name: str
    aggregates: bool = False
    seat: Seat | None = None
    last_seat: Seat | None = None
    lost_at: float = 0.0
    reason: str = ""
    upload_seconds: float = 0.0


class NameTakenError(Exception):
    """Another connected client has this name."""


class Exchange:
    """Shared by the threads of all connections and the thread of the rounds."""

    def __init__(
        self,
        grace_seconds: float,
        watch: Callable[[Presence], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        intake: Intake | None = None,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._intake = intake or Intake()
        self._watch = watch
        self._clock = clock
        self._changed = Condition()
        self._nodes: dict[int, _Node] = {}
        self._pending: dict[str, Message] = {}
        self._replies: dict[str, Message] = {}
        self._is_closed = False
        self._called_off = ""

    def join(
        self,
        name: str,
        session: str,
        *,
        aggregates: bool = False,
        held: Held | None = None,
        owed: Collection[str] = (),
    ) -> Seat:
        """Admit a client and queue its pending messages; raise ``NameTakenError``.

        ``aggregates`` says that it is an aggregator itself; for ``held`` and ``owed`` see ``Seat``.
        A connection replaces an older one of its session, whose loss was not noticed yet.
        """
        with self._changed:
            seat = Seat(node_id_of(name), name, session, held, owed=set(owed))
            node = self._nodes.setdefault(seat.node_id, _Node(name))
            if node.seat and node.seat.session != session:
                raise NameTakenError(name)
            is_new = node.seat is None
            if node.seat:
                node.seat.outbox.put(None)
            last, node.seat, node.last_seat = node.last_seat, seat, seat
            if last and last.session == session:
                seat.assembler = last.give_up()
            seat.assembler = seat.assembler or Assembler(self._intake.max_message_bytes)
            seat.sends = seat.assembler.reconnected()
            seat.heard = self._clock()
            node.aggregates = aggregates
            for message in self._unsent(seat):
                seat.outbox.put(message)
            if self._is_closed:
                seat.outbox.put(Goodbye())
            presence = Presence(name, is_present=True, present=self._count())
            self._changed.notify_all()
        if is_new:
            self._watch(presence)
        return seat

    def leave(self, seat: Seat, reason: str = LOST, *, for_good: bool = False) -> None:
        """Note that a connection ended; ``for_good`` means that no grace is needed."""
        seat.outbox.put(None)
        with self._changed:
            node = self._nodes[seat.node_id]
            if node.seat is not seat:
                return
            node.seat = None
            node.reason = reason
            node.lost_at = -math.inf if for_good else self._clock()
            presence = Presence(seat.name, is_present=False, present=self._count(), reason=reason)
            is_closed = self._is_closed
            self._changed.notify_all()
        if not is_closed:
            self._watch(presence)

    def send(self, messages: Iterable[Message]) -> list[str]:
        """Give each message an id and queue it for its client."""
        ids = []
        with self._changed:
            for message in messages:
                message_id = uuid.uuid4().hex
                set_message_id(message, message_id)
                self._pending[message_id] = message
                ids.append(message_id)
                node = self._nodes.get(message.metadata.dst_node_id)
                if node and node.seat:
                    node.seat.outbox.put(message)
        return ids

    def answer(self, seat: Seat, reply: Message, upload_seconds: float = 0.0) -> None:
        """Take a client's reply; one that nobody waits for is acknowledged and dropped.

        ``upload_seconds`` is how long it took to arrive.
        """
        message_id = reply.metadata.reply_to_message_id
        seat.owed.discard(message_id)
        with self._changed:
            self._nodes[seat.node_id].upload_seconds = upload_seconds
            pending = self._pending.get(message_id)
            if pending and pending.metadata.dst_node_id == seat.node_id:
                again = self._replies.get(message_id)
                self._replies[message_id] = reply
                self._changed.notify_all()
            else:
                again = reply
                logger.info("dropped a late reply of %s", seat.name)
        if again:
            self._intake.leave(size_of(again))
        seat.outbox.put(Acknowledge(message_id))

    def call_off(self, reason: str) -> None:
        """End every wait with ``CalledOffError``, until the next ``resume``."""
        with self._changed:
            self._called_off = reason
            self._changed.notify_all()

    def resume(self) -> None:
        """Wait again."""
        with self._changed:
            self._called_off = ""

    def take(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that have come, and an error for each client that is lost."""
        with self._changed:
            taken = [
                reply for message_id in list(message_ids) if (reply := self._take_one(message_id))
            ]
        for reply in taken:
            self._intake.leave(size_of(reply))
        return taken

    def replies(
        self, message_ids: Iterable[str], end: float | None, enough: int | None = None
    ) -> Iterator[Message]:
        """Give the replies as they come: all, those until ``end``, or ``enough`` without an error.

        Room for the next ones is made when the caller is done with the last: it asks for more.
        Raises ``CalledOffError``.
        """
        waiting = set(message_ids)
        try:
            while waiting and (enough is None or enough > 0):
                with self._changed:
                    came = next(filter(None, map(self._take_one, waiting)), None)
                if came:
                    waiting.discard(came.metadata.reply_to_message_id)
                    size = size_of(came)
                    if enough is not None and came.has_content():
                        enough -= 1
                    try:
                        yield came
                    finally:
                        del came
                        self._intake.leave(size)
                elif end is not None and self._clock() >= end:
                    return
                else:
                    self._wait_for_replies(waiting, end)
        finally:
            self._forget(waiting)

    def _wait_for_replies(self, message_ids: set[str], end: float | None) -> None:
        """Wait for a reply or a lost client, until ``end`` on the clock."""
        with self._changed:
            while not any(it in self._replies or self._is_lost(it) for it in message_ids):
                self._check()
                left = math.inf if end is None else end - self._clock()
                if left <= 0:
                    return
                # Wait briefly: the grace time ends without a notification.
                self._changed.wait(min(left, LOOK_SECONDS, max(0.01, self._grace_seconds)))

    def _forget(self, message_ids: Iterable[str]) -> None:
        """Wait for these no longer; a late reply will be dropped."""
        with self._changed:
            for message_id in message_ids:
                self._pending.pop(message_id, None)
                if reply := self._replies.pop(message_id, None):
                    self._intake.leave(size_of(reply))

    def nodes(self) -> dict[int, str]:
        """Return the clients that are connected or within the grace time."""
        with self._changed:
            return {
                node_id: node.name
                for node_id, node in self._nodes.items()
                if node.seat or not self._is_beyond_grace(node)
            }

    def has_aggregators(self) -> bool:
        """Return whether any client, also a former one, is an aggregator itself."""
        with self._changed:
            return any(node.aggregates for node in self._nodes.values())

    def name_of(self, node_id: int) -> str:
        """Return the name of a client, also of a former one."""
        with self._changed:
            node = self._nodes.get(node_id)
            return node.name if node else f"node {node_id}"

    def upload_seconds(self, node_id: int) -> float:
        """Return how long a client's last reply took to arrive; 0 if there was none."""
        with self._changed:
            node = self._nodes.get(node_id)
            return node.upload_seconds if node else 0.0

    def wait_for(self, count: int, timeout_seconds: float) -> list[str]:
        """Wait until ``count`` clients are connected; return the names of those that are.

        Raises ``CalledOffError``.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._count() >= count or self._called_off, timeout_seconds
            )
            self._check()
            return sorted(node.name for node in self._nodes.values() if node.seat)

    def say_goodbye(self, reason: str, timeout_seconds: float) -> None:
        """Send a goodbye to all clients, and wait until they have left or the time is over."""
        with self._changed:
            self._is_closed = True
            self._intake.close()
            for node in self._nodes.values():
                if node.seat:
                    node.seat.outbox.put(Goodbye(reason))
            self._changed.wait_for(lambda: self._count() == 0, timeout_seconds)

    def _check(self) -> None:
        if self._called_off:
            raise CalledOffError(self._called_off)

    def _unsent(self, seat: Seat) -> list[Message]:
        """Return the messages that the client has not received; a partly received one first."""
        unsent = [
            message
            for message_id, message in self._pending.items()
            if message.metadata.dst_node_id == seat.node_id
            and message_id not in self._replies
            and message_id not in seat.owed
        ]
        key = seat.held.key if seat.held else ""
        return sorted(unsent, key=lambda message: message.metadata.message_id != key)

    def _count(self) -> int:
        return sum(node.seat is not None for node in self._nodes.values())

    def _is_beyond_grace(self, node: _Node) -> bool:
        return not node.seat and self._clock() - node.lost_at >= self._grace_seconds

    def _is_lost(self, message_id: str) -> bool:
        message = self._pending.get(message_id)
        if message is None:
            return False
        node = self._nodes.get(message.metadata.dst_node_id)
        return node is None or self._is_beyond_grace(node)

    def _take_one(self, message_id: str) -> Message | None:
        if message_id in self._replies:
            self._pending.pop(message_id, None)
            return self._replies.pop(message_id)
        if not self._is_lost(message_id):
            return None
        message = self._pending.pop(message_id)
        node = self._nodes.get(message.metadata.dst_node_id)
        if node and node.last_seat:
            node.last_seat.give_up()
        reason = f"{node.name} is gone: {node.reason}" if node else "no such learner"
        return Message(Error(LEARNER_GONE, LearnerError(reason).to_text()), reply_to=message)

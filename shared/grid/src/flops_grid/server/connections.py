"""A client's connection to an aggregator's grid, and the items that are sent on it."""

from dataclasses import dataclass, field
from hashlib import sha256
from queue import SimpleQueue
from threading import Lock

from flwr.app import Message

from flops_grid.wire.frames import FrameKind, size_of
from flops_grid.wire.transfer import Assembler, Held


@dataclass(frozen=True)
class Acknowledge:
    """Tells a client that its reply to this message has arrived."""

    message_id: str


@dataclass(frozen=True)
class Goodbye:
    """Tells a client that nothing more will come."""

    reason: str = ""


Item = Message | Acknowledge | Goodbye | None


@dataclass(frozen=True)
class Presence:
    """A client joined or left; ``present`` counts those that are connected now."""

    learner: str
    is_present: bool
    present: int
    reason: str = ""


@dataclass(eq=False)
class Seat:
    """One connection of one client; ``outbox`` ends with None.

    ``held`` is the part of an interrupted message that the client has, ``sends`` the part of its
    reply that we have; ``owed`` are the messages that it has received and not replied to.
    """

    node_id: int
    name: str
    session: str
    held: Held | None = None
    sends: Held | None = None
    owed: set[str] = field(default_factory=set)
    outbox: SimpleQueue[Item] = field(default_factory=SimpleQueue)
    assembler: Assembler | None = None
    heard: float = 0.0
    is_paused: bool = False
    _lock: Lock = field(default_factory=Lock)

    @property
    def may_be_silent(self) -> bool:
        """Return whether silence is allowed: its code holds the interpreter, or we do not read."""
        return bool(self.owed) or self.is_paused

    def feed(self, kind: FrameKind, payload: memoryview) -> tuple[Message | None, int]:
        """Take a frame; return the message that it completes, and the size of the message."""
        with self._lock:
            if self.assembler is None:
                return None, 0
            message = self.assembler.feed(kind, payload)
            return message, size_of(message) if message else self.assembler.arriving

    def give_up(self) -> Assembler | None:
        """Stop reading; return what has arrived, for the next connection."""
        with self._lock:
            assembler, self.assembler = self.assembler, None
            return assembler


def node_id_of(name: str) -> int:
    """Derive a client's node id from its name, so that it keeps it when it reconnects."""
    return int.from_bytes(sha256(name.encode()).digest()[:7], "big") or 1

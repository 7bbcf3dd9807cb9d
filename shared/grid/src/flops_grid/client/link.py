"""A client's connection to its aggregator: reconnects, and never loses or repeats work.

It runs in its own thread, so that the user's code has the main thread and the connection stays
alive while that code computes. A reply is kept until the aggregator has acknowledged it.
"""

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, Full, Queue, SimpleQueue
from typing import Any, Final, Protocol

import grpc
from flwr.app import Message

from flops_grid.errors import AggregatorUnreachableError, WireError
from flops_grid.wire.frames import PROTOCOL, FrameKind, note, read_frame, read_note
from flops_grid.wire.pulse import Pulse
from flops_grid.wire.settings import METHOD, LinkSettings, grpc_options
from flops_grid.wire.transfer import Assembler, Held, Sender

logger = logging.getLogger(__name__)

INBOX_MESSAGES: Final = 4
LEAVE_SECONDS: Final = 2.0

Outbox = SimpleQueue[Message | Held | bytes | None]
"""The items to send on one connection: replies, finished frames, and once, before the replies,
the part of one that the aggregator holds; None ends it."""

FINAL_REFUSALS: Final = {
    grpc.StatusCode.UNAUTHENTICATED: "Check that FLOPS_GRID_TOKEN is the project's.",
    grpc.StatusCode.FAILED_PRECONDITION: "Aggregator and learner have different versions.",
}


@dataclass(frozen=True)
class Peer:
    """The aggregator to connect to, and the client's name and token.

    ``aggregates`` says that the client is an aggregator. ``tls_name`` is the name in the
    aggregator's certificate if it is not its address.
    """

    address: str
    name: str
    token: str = field(repr=False)
    credentials: grpc.ChannelCredentials | None = None
    aggregates: bool = False
    tls_name: str = ""


@dataclass(frozen=True)
class Ended:
    """The aggregator said goodbye; ``reason`` is empty when its work is done."""

    reason: str = ""


class _Call(Protocol):
    """A gRPC stream: incoming frames, until it is cancelled."""

    def __iter__(self) -> Iterator[bytes]: ...

    def cancel(self) -> object: ...


class _Lost(Exception):  # noqa: N818 - an event, not a failure
    """The connection ended without a goodbye."""


class Link:
    """Puts messages into ``inbox``, and at the end an ``Ended`` or the error that ended the link.

    ``news`` is called from the link's thread after each item.
    """

    def __init__(
        self, peer: Peer, settings: LinkSettings, news: Callable[[], None] = lambda: None
    ) -> None:
        self._peer = peer
        self._settings = settings
        self._news = news
        self._session = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._assembler = Assembler(settings.max_message_bytes, remembers=True)
        self._pulse = Pulse(settings.silence_seconds)
        self._accepted: set[str] = set()
        self._owed: set[str] = set()
        self._unconfirmed: dict[str, Message] = {}
        self._outbox: Outbox | None = None
        self._stop = threading.Event()
        self._call: _Call | None = None
        self._last_contact = time.monotonic()
        self._refused_since: float | None = None
        self._malformed = 0
        self._thread = threading.Thread(target=self._run, name="grid-link", daemon=True)
        self.inbox: Queue[Message | Ended | Exception] = Queue(INBOX_MESSAGES)
        self.heard = time.monotonic()
        self.may_be_silent = False

    def start(self) -> None:
        """Start connecting."""
        self._last_contact = time.monotonic()
        self._pulse.start()
        self._thread.start()

    def answer(self, reply: Message) -> None:
        """Send a reply as soon as there is a connection; again if that connection breaks."""
        with self._lock:
            self._owed.discard(reply.metadata.reply_to_message_id)
            self._unconfirmed[reply.metadata.reply_to_message_id] = reply
            if self._outbox:
                self._outbox.put(reply)

    def close(self, reason: str = "") -> None:
        """Inform the aggregator that this client leaves for good, and disconnect."""
        self._stop.set()
        with self._lock:
            if self._outbox:
                self._outbox.put(note(FrameKind.LEAVE, {"reason": reason}))
                self._outbox.put(None)
        self._thread.join(LEAVE_SECONDS)
        if self._call:
            self._call.cancel()
        self._thread.join(LEAVE_SECONDS)
        self._pulse.stop()

    def _run(self) -> None:
        pause = self._settings.first_pause_seconds
        while not self._stop.is_set():
            contact = self._last_contact
            outcome = self._attempt()
            if not isinstance(outcome, _Lost):
                self._deliver(outcome)
                return
            if self._last_contact > contact:
                pause = self._settings.first_pause_seconds
            if error := self._too_long(outcome):
                self._deliver(error)
                return
            logger.info("cannot connect to %s (%s); retrying", self._peer.address, outcome)
            self._stop.wait(pause * random.uniform(0.8, 1.2))
            pause = min(2 * pause, self._settings.longest_pause_seconds)

    def _attempt(self) -> Ended | Exception:
        try:
            return self._converse()
        except (_Lost, AggregatorUnreachableError) as error:
            return error
        except Exception as error:
            logger.exception("the link to the aggregator failed")
            return error

    def _too_long(self, why: _Lost) -> AggregatorUnreachableError | None:
        seconds, limit = time.monotonic() - self._last_contact, self._settings.unreachable_seconds
        if seconds <= limit:
            return None
        return AggregatorUnreachableError(
            f"no aggregator at {self._peer.address} for {limit:g} s: {why}",
            hint="See the aggregator's status and log.",
        )

    def _deliver(self, item: Message | Ended | Exception) -> None:
        """Put ``item`` into the inbox; waiting for room slows down a fast aggregator."""
        self.may_be_silent = True
        while not self._stop.is_set():
            try:
                self.inbox.put(item, timeout=0.5)
            except Full:
                continue
            self._news()
            break
        self.heard, self.may_be_silent = time.monotonic(), False

    def _converse(self) -> Ended:
        """Hold one connection until the goodbye; raise ``_Lost`` when it breaks."""
        channel = self._channel()
        outbox: Outbox = SimpleQueue()
        try:
            grpc.channel_ready_future(channel).result(self._patience())
            dial: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(METHOD)
            self._call = call = dial(self._outgoing(outbox))
            return self._listen(call, outbox)
        except grpc.FutureTimeoutError:
            raise _Lost("no answer") from None
        except grpc.RpcError as error:
            raise _Lost(self._refusal_reason(error)) from error
        except WireError as error:
            raise _Lost(f"malformed data came: {error}") from error
        finally:
            with self._lock:
                self._outbox = None
            outbox.put(None)
            if self._call:
                self._call.cancel()
            channel.close()

    def _channel(self) -> grpc.Channel:
        peer, options = self._peer, grpc_options(self._settings.keepalive_seconds)
        if not peer.credentials:
            return grpc.insecure_channel(peer.address, options)
        name = [("grpc.ssl_target_name_override", peer.tls_name)] if peer.tls_name else []
        return grpc.secure_channel(peer.address, peer.credentials, [*options, *name])

    def _patience(self) -> float:
        away = time.monotonic() - self._last_contact
        left = self._settings.unreachable_seconds - away
        return max(0.1, min(self._settings.connect_seconds, left))

    def _outgoing(self, outbox: Outbox) -> Iterator[bytes]:
        """Run in gRPC's own thread; it asks for the next frame when the last one is sent."""
        yield self._hello()
        sender = Sender()
        while True:
            try:
                item = outbox.get(timeout=self._settings.beat_seconds)
            except Empty:
                yield note(FrameKind.BEAT, {})
                continue
            match item:
                case None:
                    return
                case bytes():
                    yield item
                case Held():
                    sender = Sender(item)
                case Message():
                    yield from sender.frames(item)

    def _hello(self) -> bytes:
        held = self._assembler.reconnected()
        with self._lock:
            owes = [*self._owed, *self._unconfirmed]
        return note(
            FrameKind.HELLO,
            {
                "protocol": PROTOCOL,
                "token": self._peer.token,
                "name": self._peer.name,
                "session": self._session,
                "aggregates": self._peer.aggregates,
                "held": held.to_document() if held else None,
                "owes": owes,
            },
        )

    def _listen(self, call: _Call, outbox: Outbox) -> Ended:
        patience = threading.Timer(self._settings.connect_seconds, call.cancel)
        patience.daemon = True
        patience.start()
        self.heard = time.monotonic()
        self._pulse.watch(self, call.cancel)
        try:
            for data in call:
                kind, payload = read_frame(data)
                self.heard = self._last_contact = time.monotonic()
                if kind is FrameKind.WELCOME:
                    patience.cancel()
                    self._welcome(outbox, read_note(payload))
                elif kind is FrameKind.BEAT:
                    continue
                elif kind is FrameKind.ACKNOWLEDGE:
                    self._confirm(str(read_note(payload).get("message_id")))
                elif kind is FrameKind.GOODBYE:
                    return Ended(str(read_note(payload).get("reason", "")))
                elif message := self._assembler.feed(kind, payload):
                    self._accept(message)
        finally:
            patience.cancel()
            self._pulse.forget(self)
        raise _Lost("the aggregator hung up")

    def _welcome(self, outbox: Outbox, welcome: dict[str, Any]) -> None:
        logger.info("connected to the aggregator at %s", self._peer.address)
        self._refused_since = None
        held = Held.from_document(welcome.get("held"))
        with self._lock:
            again = list(self._unconfirmed.values())
            if held:
                again.sort(key=lambda reply: reply.metadata.reply_to_message_id != held.key)
                outbox.put(held)
            for reply in again:
                outbox.put(reply)
            self._outbox = outbox

    def _accept(self, message: Message) -> None:
        """Pass on a message once; if it comes again, its reply is being sent or computed."""
        message_id = message.metadata.message_id
        if message_id not in self._accepted:
            self._accepted.add(message_id)
            with self._lock:
                self._owed.add(message_id)
            self._deliver(message)

    def _confirm(self, message_id: str) -> None:
        self._malformed = 0
        with self._lock:
            self._unconfirmed.pop(message_id, None)

    def _refusal_reason(self, error: grpc.RpcError) -> str:
        """Return why a connection ended; raise if a retry makes no sense."""
        code, why = error.code(), error.details() or "no reason given"
        if code in FINAL_REFUSALS:
            raise self._refused(why, FINAL_REFUSALS[code])
        if code is grpc.StatusCode.ALREADY_EXISTS:
            self._refused_since = self._refused_since or time.monotonic()
            if time.monotonic() - self._refused_since > self._settings.duplicate_seconds:
                raise self._refused(why, "Two learners cannot have the same name.")
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            self._malformed += 1
            if self._malformed >= self._settings.malformed_attempts:
                raise self._refused(why, "The network connection to the aggregator damages data.")
        return f"{code.name}: {why}"

    def _refused(self, why: str, hint: str) -> AggregatorUnreachableError:
        return AggregatorUnreachableError(
            f"the aggregator at {self._peer.address} refuses {self._peer.name}: {why}", hint=hint
        )

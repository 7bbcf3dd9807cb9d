"""The aggregator's end: a ``flwr.serverapp.Grid`` with one stream to each client."""

import hmac
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty
from types import TracebackType
from typing import Any, NoReturn, Self
from weakref import WeakSet

import grpc
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from flops_grid.errors import WireError
from flops_grid.messages.flower_internals import Run, empty_run, take_identity
from flops_grid.server.connections import Acknowledge, Goodbye, Presence, Seat
from flops_grid.server.exchange import Exchange, NameTakenError
from flops_grid.server.intake import Intake
from flops_grid.server.traffic import Moved, Traffic
from flops_grid.wire.frames import PROTOCOL, FrameKind, note, read_frame, read_note
from flops_grid.wire.pulse import Pulse
from flops_grid.wire.settings import SERVICE, GridSettings, grpc_options
from flops_grid.wire.transfer import Checksums, Held, Sender

logger = logging.getLogger(__name__)


class StreamGrid(Grid):
    """Clients connect to ``address`` (host:port) with ``token``; strategies see an ordinary Grid.

    ``watch`` is called from the connections' threads whenever a client joins or leaves. Nothing
    listens before ``start``; ``close`` says goodbye and ends all threads.
    """

    def __init__(
        self,
        address: str,
        token: str,
        settings: GridSettings | None = None,
        watch: Callable[[Presence], None] = lambda _: None,
        credentials: grpc.ServerCredentials | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self._address = address
        self._token = token
        self._settings = settings or GridSettings()
        self._credentials = credentials
        self._intake = Intake(
            self._settings.intake_bytes,
            self._settings.stall_seconds,
            self._settings.max_message_bytes,
        )
        self._exchange = Exchange(self._settings.grace_seconds, watch, intake=self._intake)
        self._checksums = Checksums()
        self._traffic = traffic or Traffic()
        self._pulse = Pulse(self._settings.silence_seconds)
        self._threads: ThreadPoolExecutor | None = None
        self._server: grpc.Server | None = None
        self._readers: WeakSet[threading.Thread] = WeakSet()
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close("" if error is None else "the training failed")

    def start(self) -> None:
        """Listen; raise ``OSError`` when the address cannot be bound."""
        take_identity()
        workers = self._settings.max_learners + 8
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grid")
        server = grpc.server(
            self._threads,
            options=grpc_options(self._settings.keepalive_seconds, self._settings.ahead_bytes),
            maximum_concurrent_rpcs=workers,
        )
        join: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            self._converse
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"Join": join}),)
        )
        self.port = self._bind(server)
        server.start()
        self._pulse.start()
        self._server = server

    def close(self, reason: str = "") -> None:
        """Send a goodbye to every client and stop; bounded in time, and safe to call twice.

        Two threads may call it at once: one of them ends the server.
        """
        server, self._server = self._server, None
        if server:
            self._exchange.say_goodbye(reason, self._settings.goodbye_seconds)
            server.stop(1).wait(5)
            self._pulse.stop()
        threads, self._threads = self._threads, None
        if threads:
            threads.shutdown(wait=True, cancel_futures=True)
        for reader in list(self._readers):
            reader.join(5)

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Wait until ``count`` are connected; return the names of those that are, in any case."""
        return self._exchange.wait_for(count, timeout_seconds)

    def name_of(self, node_id: int) -> str:
        """Return a client's name."""
        return self._exchange.name_of(node_id)

    def upload_seconds(self, node_id: int) -> float:
        """Return how long a client's last reply took from its first byte to its last."""
        return self._exchange.upload_seconds(node_id)

    def has_aggregators(self) -> bool:
        """Return whether the clients are aggregators themselves."""
        return self._exchange.has_aggregators()

    def moved(self) -> Moved:
        """Return how many bytes all connections have carried so far."""
        return self._traffic.moved()

    def call_off(self, reason: str) -> None:
        """End all waits for clients or replies with ``CalledOffError``, until ``resume``."""
        self._exchange.call_off(reason)

    def resume(self) -> None:
        """Allow waits for clients and replies again."""
        self._exchange.resume()

    def set_run(self, run: Run) -> None:
        """Do nothing: this grid has one run only."""

    @property
    def run(self) -> Run:
        """The only run."""
        return empty_run()

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a message for a client."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return the clients that work can be sent to, also those within the grace time."""
        return list(self._exchange.nodes())

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Queue messages and return their ids."""
        return self._exchange.send(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that have come."""
        return self._exchange.take(message_ids)

    def send_and_receive(
        self,
        messages: Iterable[Message],
        *,
        timeout: float | None = None,
        enough: int | None = None,
    ) -> Iterator[Message]:
        """Send, and give the replies as they come, for ``timeout`` seconds from now at most.

        It ends when all have come, or ``enough`` without an error. Further replies wait at their
        senders while the caller works on one. Raises ``CalledOffError``.
        """
        end = None if timeout is None else time.monotonic() + timeout
        return self._exchange.replies(self.push_messages(messages), end, enough)

    def _bind(self, server: grpc.Server) -> int:
        try:
            port: int = (
                server.add_secure_port(self._address, self._credentials)
                if self._credentials
                else server.add_insecure_port(self._address)
            )
        except RuntimeError as error:
            raise OSError(str(error)) from error
        return port

    def _converse(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Serve one connection: this thread sends, another one reads."""
        seat = self._admit(frames, context)
        reader = threading.Thread(
            target=self._read,
            args=(seat, self._traffic.counted_up(frames), context),
            name="grid-reader",
            daemon=True,
        )
        self._readers.add(reader)
        self._pulse.watch(seat, context.cancel)
        reader.start()
        # The reader ends by itself: with its stream, which ends when this generator does.
        held = seat.sends.to_document() if seat.sends else None
        yield note(FrameKind.WELCOME, {"protocol": PROTOCOL, "held": held})
        outgoing = _outgoing(seat, self._checksums, self._settings.beat_seconds)
        yield from self._traffic.counted_down(outgoing)

    def _admit(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Seat:
        patience = threading.Timer(self._settings.hello_seconds, context.cancel)
        patience.daemon = True
        patience.start()
        try:
            hello = _greeting(frames)
        except WireError as error:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error.reason)
        finally:
            patience.cancel()
        return self._seat(hello, context)

    def _seat(self, hello: dict[str, Any], context: grpc.ServicerContext) -> Seat:
        # The version first: another version may write the rest in another way.
        if hello.get("protocol") != PROTOCOL:
            why = (
                f"this aggregator speaks version {PROTOCOL} of the protocol, "
                f"not {str(hello.get('protocol'))[:20]}"
            )
            _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, why)
        token, name, session = (str(hello.get(key, "")) for key in ("token", "name", "session"))
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            _refuse(context, grpc.StatusCode.UNAUTHENTICATED, "wrong token")
        if not 1 <= len(name) <= 200 or not 1 <= len(session) <= 200:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "a greeting needs name and session")
        try:
            return self._exchange.join(
                name,
                session,
                aggregates=hello.get("aggregates") is True,
                held=Held.from_document(hello.get("held")),
                owed=_ids(hello.get("owes")),
            )
        except WireError as error:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error.reason)
        except NameTakenError:
            why = f"a learner named {name} is here already"
            _refuse(context, grpc.StatusCode.ALREADY_EXISTS, why)

    def _read(self, seat: Seat, frames: Iterator[bytes], context: grpc.ServicerContext) -> None:
        """Read until the connection ends; its errors affect only this client."""
        reason, for_good = "", False
        try:
            reason, for_good = self._read_frames(seat, frames)
        except WireError as error:
            logger.warning("ended the connection of %s: %s", seat.name, error)
            reason = f"it sent something malformed: {error}"
            context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
            context.set_details(reason)
        except grpc.RpcError:
            pass  # The stream was cut; to the exchange that is the same as its end.
        except Exception:
            logger.exception("the connection of %s failed", seat.name)
        self._pulse.forget(seat)
        self._exchange.leave(seat, *([reason] if reason else []), for_good=for_good)

    def _read_frames(self, seat: Seat, frames: Iterator[bytes]) -> tuple[str, bool]:
        """Read the client's frames; return the reason why it left, and whether for good."""
        entered, began = 0, 0.0
        try:
            for data in frames:
                seat.heard = time.monotonic()
                kind, payload = read_frame(data)
                if kind is FrameKind.LEAVE:
                    return str(read_note(payload).get("reason", ""))[:500], True
                if kind is FrameKind.BEAT:
                    continue
                began = began or seat.heard
                message, size = seat.feed(kind, payload)
                entered = entered or self._let_in(seat, size)
                if message:
                    # The room is freed when the reply is taken.
                    entered = 0
                    self._exchange.answer(seat, message, time.monotonic() - began)
                    began = 0.0
        finally:
            self._intake.leave(entered)
        return "", False

    def _let_in(self, seat: Seat, size: int) -> int:
        """Wait until there is room for the client's message."""
        seat.is_paused = True
        try:
            return self._intake.enter(size)
        finally:
            seat.heard, seat.is_paused = time.monotonic(), False


def _greeting(frames: Iterator[bytes]) -> dict[str, Any]:
    kind, payload = read_frame(next(frames, b""))
    if kind is not FrameKind.HELLO:
        raise WireError(f"{kind.name} is not a greeting")
    return read_note(payload)


def _ids(listed: Any) -> list[str]:
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise WireError("a greeting has no valid list of owed messages")
    return listed


def _outgoing(seat: Seat, checksums: Checksums, beat_seconds: float) -> Iterator[bytes]:
    sender = Sender(seat.held, checksums)
    while True:
        try:
            item = seat.outbox.get(timeout=beat_seconds)
        except Empty:
            yield note(FrameKind.BEAT, {})
            continue
        match item:
            case None:
                return
            case Acknowledge(message_id):
                yield note(FrameKind.ACKNOWLEDGE, {"message_id": message_id})
            case Goodbye(reason):
                yield note(FrameKind.GOODBYE, {"reason": reason})
                return
            case Message():
                # Before it is sent: the answer may be here before this line is reached again.
                seat.owed.add(item.metadata.message_id)
                yield from sender.frames(item)


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, why: str) -> NoReturn:
    logger.warning("refused a connection from %s: %s", context.peer(), why)
    context.abort(code, why)
    raise AssertionError("abort returns never")

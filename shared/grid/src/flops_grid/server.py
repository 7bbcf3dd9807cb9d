"""The aggregator's end: a ``flwr.serverapp.Grid`` that pushes work down a stream per learner."""

import hmac
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NoReturn, Self
from weakref import WeakSet

import grpc
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from flops_grid.errors import WireError
from flops_grid.exchange import Acknowledge, Exchange, Goodbye, NameTakenError, Presence, Seat
from flops_grid.flower_internals import empty_run, take_identity
from flops_grid.settings import SERVICE, GridSettings, grpc_options
from flops_grid.wire import (
    PROTOCOL,
    Assembler,
    FrameKind,
    message_frames,
    note,
    read_frame,
    read_note,
)

logger = logging.getLogger(__name__)


class StreamGrid(Grid):
    """Learners dial ``address`` (host:port) and show ``token``; strategies see an ordinary Grid.

    ``watch`` is called from connections' threads whenever a learner comes or goes. Nothing
    listens before ``start``; ``close`` says goodbye and leaves no thread behind.
    """

    def __init__(
        self,
        address: str,
        token: str,
        settings: GridSettings | None = None,
        watch: Callable[[Presence], None] = lambda _: None,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._address = address
        self._token = token
        self._settings = settings or GridSettings()
        self._credentials = credentials
        self._exchange = Exchange(self._settings.grace_seconds, watch)
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
            options=grpc_options(self._settings.keepalive_seconds),
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
        self._server = server

    def close(self, reason: str = "") -> None:
        """Say goodbye to every learner and stop; bounded in time, and safe to call twice."""
        if self._server:
            self._exchange.say_goodbye(reason, self._settings.goodbye_seconds)
            self._server.stop(1).wait(5)
            self._server = None
        if self._threads:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None
        for reader in list(self._readers):
            reader.join(5)

    def wait_for_learners(self, count: int, timeout_seconds: float) -> list[str]:
        """Wait until ``count`` are connected; return the names of those that are, in any case."""
        return self._exchange.wait_for(count, timeout_seconds)

    def name_of(self, node_id: int) -> str:
        """Return a learner's name."""
        return self._exchange.name_of(node_id)

    def has_aggregators(self) -> bool:
        """Say whether those that joined are aggregators themselves."""
        return self._exchange.has_aggregators()

    def call_off(self, reason: str) -> None:
        """Let whoever waits for learners or replies get a ``CalledOffError``, until ``resume``."""
        self._exchange.call_off(reason)

    def resume(self) -> None:
        """Wait again for learners and replies."""
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
        """Return a message for a learner."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return who can be sent work: a learner keeps its place during the grace time."""
        return list(self._exchange.nodes())

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Queue messages and return their ids."""
        return self._exchange.send(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that have come."""
        return self._exchange.take(message_ids)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Send and wait for all replies; after ``timeout`` seconds return those that came."""
        end = None if timeout is None else time.monotonic() + timeout
        waiting = set(self.push_messages(messages))
        replies: list[Message] = []
        try:
            while waiting:
                came = self.pull_messages(waiting)
                replies += came
                waiting -= {reply.metadata.reply_to_message_id for reply in came}
                if end is not None and time.monotonic() >= end:
                    break
                if waiting and not came:
                    self._exchange.wait_for_replies(waiting, end)
        finally:
            self._exchange.forget(waiting)
        return replies

    def _bind(self, server: grpc.Server) -> int:
        try:
            port: int = (
                server.add_secure_port(self._address, self._credentials)
                if self._credentials
                else server.add_insecure_port(self._address)
            )
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: {error}") from error
        return port

    def _converse(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Serve one connection: this thread sends, another one reads."""
        seat = self._admit(frames, context)
        reader = threading.Thread(
            target=self._read, args=(seat, frames, context), name="grid-reader", daemon=True
        )
        self._readers.add(reader)
        reader.start()
        # The reader ends by itself: with its stream, which ends when this generator does.
        yield note(FrameKind.WELCOME, {"protocol": PROTOCOL})
        yield from _outgoing(seat)

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
            why = f"this aggregator speaks version {PROTOCOL} of the protocol"
            _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, why)
        token, name, session = (str(hello.get(key, "")) for key in ("token", "name", "session"))
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            _refuse(context, grpc.StatusCode.UNAUTHENTICATED, "wrong token")
        if not 1 <= len(name) <= 200 or not 1 <= len(session) <= 200:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "a greeting needs name and session")
        try:
            aggregates = hello.get("aggregates") is True
            return self._exchange.join(name, session, aggregates=aggregates)
        except NameTakenError:
            why = f"a learner named {name} is here already"
            _refuse(context, grpc.StatusCode.ALREADY_EXISTS, why)

    def _read(self, seat: Seat, frames: Iterator[bytes], context: grpc.ServicerContext) -> None:
        """Read until the connection ends; whatever is wrong with it is this learner's loss only."""
        assembler = Assembler(self._settings.max_message_bytes)
        reason, for_good = "", False
        try:
            for data in frames:
                kind, payload = read_frame(data)
                if kind is FrameKind.LEAVE:
                    reason, for_good = str(read_note(payload).get("reason", ""))[:500], True
                    break
                if message := assembler.feed(kind, payload):
                    self._exchange.answer(seat, message)
        except WireError as error:
            logger.warning("ended the connection of %s: %s", seat.name, error)
            reason = f"it sent something malformed: {error}"
            context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
            context.set_details(reason)
        except grpc.RpcError:
            pass  # The stream was cut; to the exchange that is the same as its end.
        except Exception:
            logger.exception("the connection of %s failed", seat.name)
        self._exchange.leave(seat, *([reason] if reason else []), for_good=for_good)


def _greeting(frames: Iterator[bytes]) -> dict[str, Any]:
    kind, payload = read_frame(next(frames, b""))
    if kind is not FrameKind.HELLO:
        raise WireError(f"{kind.name} is no greeting")
    return read_note(payload)


def _outgoing(seat: Seat) -> Iterator[bytes]:
    while (item := seat.outbox.get()) is not None:
        yield from _frames_of(item)
        if isinstance(item, Goodbye):
            return


def _frames_of(item: Message | Acknowledge | Goodbye) -> Iterator[bytes]:
    match item:
        case Acknowledge(message_id):
            yield note(FrameKind.ACKNOWLEDGE, {"message_id": message_id})
        case Goodbye(reason):
            yield note(FrameKind.GOODBYE, {"reason": reason})
        case Message():
            yield from message_frames(item)


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, why: str) -> NoReturn:
    logger.warning("refused a connection from %s: %s", context.peer(), why)
    context.abort(code, why)
    raise AssertionError("abort returns never")

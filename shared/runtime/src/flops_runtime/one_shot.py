"""The frame of a one-shot service: connect, work, deliver the result, wait for the confirmation.

``run_one_shot`` is the whole of a one-shot's ``__main__`` besides its settings and its work.
"""

import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import Any

from flops_contracts.errors import FlopsError
from flops_contracts.events import Empty, Failure, Heartbeat, Kind
from flops_contracts.exit_codes import ExitCode
from flops_runtime import tracing
from flops_runtime.logs import LastLines, configure_logging
from flops_runtime.mqtt import MqttConnection
from flops_runtime.reporting import Reporter
from flops_runtime.settings import ActorSettings
from flops_runtime.status import Status, StatusServer

logger = logging.getLogger(__name__)

TERMINATION_SECONDS = 9.0
"""How long cleaning up may take after SIGTERM; containers are killed after ten seconds."""

Work = Callable[[Reporter], tuple[Kind, Any]]


class TerminationRequested(BaseException):
    """SIGTERM arrived: unwind, clean up and end. Not an ``Exception``, so that nobody eats it."""


def terminate_cleanly() -> None:
    """Turn SIGTERM into ``TerminationRequested`` in the main thread; end hard if it is ignored."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        watchdog = threading.Timer(TERMINATION_SECONDS, os._exit, (ExitCode.TERMINATED,))
        watchdog.daemon = True
        watchdog.start()
        raise TerminationRequested

    signal.signal(signal.SIGTERM, terminate)


@contextmanager
def reporting(settings: ActorSettings) -> Iterator[Reporter]:
    """Give a connected reporter, or raise ``BrokerUnreachableError``."""
    status = Status(settings.actor.role)
    client_id = f"{settings.actor.instance}-{os.getpid()}"
    connection = MqttConnection(settings.mqtt, client_id)
    reporter = Reporter(settings, connection, status)
    reporter.listen()
    with ExitStack() as stack:
        stack.enter_context(StatusServer(settings.process, status))
        stack.enter_context(connection)
        stack.callback(reporter.finish)
        stack.enter_context(closing(reporter.logs))
        reporter.logs.start()
        stack.enter_context(_heartbeats(reporter, settings.heartbeat_seconds))
        reporter.report(Kind.STARTED, Empty())
        yield reporter


def run_one_shot(settings: ActorSettings, work: Work) -> ExitCode:
    """Do ``work``, deliver what it returns or why it failed, and return the exit code.

    ``work`` gets the reporter and returns its result: the kind and the payload of its last event.
    """
    last_lines = configure_process(settings)
    terminate_cleanly()
    start_traces(settings)
    try:
        with reporting(settings) as reporter:
            reporter.last_lines = last_lines
            with tracing.of_process(settings.actor.role):
                code, event_id = _run_step(reporter, work, last_lines)
            if reporter.is_acknowledged(event_id, settings.acknowledge_timeout_seconds):
                return code
            logger.error("nobody confirmed the result (%s)", event_id)
            return code or ExitCode.NOT_ACKNOWLEDGED
    except FlopsError as error:
        logger.error("%s", f"{error.reason}. {error.hint}".rstrip())  # noqa: TRY400 - they say all
        return error.exit_code
    except TerminationRequested:
        logger.info("asked to end")
        return ExitCode.TERMINATED
    finally:
        tracing.stop()


def start_traces(settings: ActorSettings) -> None:
    """Switch traces on where they are, for an actor of a project or mock."""
    actor = settings.actor
    about = {"flops.subject": settings.subject_id, "service.instance.id": actor.instance}
    tracing.start(settings.traces, actor.role, **about)


def configure_process(settings: ActorSettings) -> LastLines:
    """Configure logging for an actor; return the handler that keeps the last lines."""
    actor = settings.actor
    context = {
        "project": settings.subject_id,
        "role": str(actor.role),
        "actor": actor.instance,
        "node": actor.node,
        "trace_id": tracing.trace_id_of(settings.traces.parent),
    }
    process = settings.process
    return configure_logging(process.log_level, process.log_format, context)


def exit_with(run: Callable[[], ExitCode]) -> None:
    """Leave the process with what ``run`` returns; an expected error is printed, not traced."""
    try:
        code = run()
    except FlopsError as error:
        print(f"{error.reason}. {error.hint}", file=sys.stderr)  # noqa: T201 - no logging yet
        code = error.exit_code
    sys.exit(code)


def failure_of(error: Exception, last_lines: tuple[str, ...]) -> Failure:
    """Return what an event says about ``error``: expected ones by their reason, bugs by name."""
    if isinstance(error, FlopsError):
        return Failure(
            reason=error.reason,
            exit_code=error.exit_code,
            error=type(error).__name__,
            hint=error.hint,
            where=error.where,
            origin=error.origin,
            origin_cluster=error.origin_cluster,
            round=error.round,
            cycle=error.cycle,
            last_lines=last_lines,
        )
    return Failure(
        reason=f"unexpected {type(error).__name__}: {error}"[:2000],
        exit_code=ExitCode.BUG,
        error=type(error).__name__,
        hint="This is a bug in FLOps; the last log lines show where.",
        last_lines=last_lines,
    )


def _run_step(reporter: Reporter, work: Work, last_lines: LastLines) -> tuple[ExitCode, str]:
    try:
        kind, payload = work(reporter)
    except FlopsError as error:
        logger.error("%s", error, exc_info=error.__cause__)  # noqa: TRY400 - the cause is what helps
        return error.exit_code, reporter.fail(failure_of(error, _may_leave(reporter, last_lines)))
    except Exception as error:
        logger.exception("unexpected failure")
        return ExitCode.BUG, reporter.fail(failure_of(error, _may_leave(reporter, last_lines)))
    reporter.status.doing("waiting for the manager to confirm")
    return ExitCode.DONE, reporter.deliver(kind, payload)


def _may_leave(reporter: Reporter, last_lines: LastLines) -> tuple[str, ...]:
    """Return the last lines; none while the owner of the node has not let them leave it."""
    return last_lines.lines() if reporter.lines_may_leave else ()


@contextmanager
def _heartbeats(reporter: Reporter, seconds: float) -> Iterator[None]:
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(seconds):
            reporter.report(Kind.HEARTBEAT, heartbeat_of(reporter.status))

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def heartbeat_of(status: Status) -> Heartbeat:
    """Return the sign of life of a process that does what ``status`` says."""
    document = status.document()
    return Heartbeat(
        str(document["state"]),
        round=document["round"],
        memory_mb=_memory(),
        rows=document["rows"],
    )


def _memory() -> float:
    """Return the peak resident memory in MB; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

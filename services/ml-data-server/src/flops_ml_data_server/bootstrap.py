"""Wires the data server, and runs it until it is terminated."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from socket import gethostname
from typing import Any, Final

import pyarrow as pa
from prometheus_client import REGISTRY, CollectorRegistry

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_ml_data_server.access.audit import Audit
from flops_ml_data_server.access.callers import MIDDLEWARE, Identify
from flops_ml_data_server.access.rules import Rulebook
from flops_ml_data_server.serving.announcing import Announcer
from flops_ml_data_server.serving.flight_server import FlightServer
from flops_ml_data_server.serving.http_api import HttpApi
from flops_ml_data_server.serving.metrics import Metrics
from flops_ml_data_server.settings import Settings
from flops_ml_data_server.storage.volume import Volume
from flops_ml_data_server.store import Store
from flops_ml_data_server.transfers.memory import Memory
from flops_runtime import tracing
from flops_runtime.logs import configure_logging
from flops_runtime.one_shot import TerminationRequested, terminate_cleanly
from flops_runtime.status import Status, StatusServer

logger = logging.getLogger(__name__)

MAX_SWEEP_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Running:
    """The ports of a running data server."""

    flight_port: int
    http_port: int


@contextmanager
def serving(settings: Settings, registry: CollectorRegistry = REGISTRY) -> Iterator[Running]:
    """Serve until the end of the context; raises ``VolumeUnusableError``, ``OSError``."""
    memory = Memory(settings.max_bytes, settings.max_transfers)
    volume = Volume(settings.volume, settings.codec, settings.limits, memory)
    rulebook = Rulebook(settings.volume, settings.rules)
    audit = Audit(settings.volume)
    store = Store(volume, rulebook, audit, logs_may_leave=settings.logs_may_leave)
    pages = HttpApi(store, settings.doorkeeper, is_local_only=bool(settings.tls_certificate))
    status = Status("ml_data_server")
    with ExitStack() as stack:
        volume.open()
        stack.callback(volume.close)
        http = stack.enter_context(StatusServer(settings.process, status, pages.page))
        metrics = Metrics(registry, memory, lambda: volume.free_bytes)
        server = _listening(settings, store, metrics)
        stack.callback(server.end)
        stack.enter_context(_sweeping(store, settings.limits.idle_seconds))
        if settings.mqtt is not None:
            announcer = Announcer(settings.mqtt, settings.node or gethostname(), store.stats)
            store.on_change = announcer.changed
            announcer.start()
            stack.callback(announcer.close)
        status.doing("serving")
        status.ready()
        logger.info("serving %s on port %d", settings.volume, server.port)
        yield Running(server.port, http.port)
        status.ready(is_ready=False)


@contextmanager
def _sweeping(store: Store, idle_seconds: float) -> Iterator[None]:
    """Remove expired data from time to time, until the end of the context."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(min(MAX_SWEEP_SECONDS, idle_seconds / 4)):
            try:
                store.sweep(time.time())
            except (FlopsError, OSError):
                logger.exception("could not clean up; retrying later")

    thread = threading.Thread(target=sweep, name="sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(5)


def run(settings: Settings) -> ExitCode:
    """Serve until SIGTERM or Ctrl-C."""
    process = settings.process
    configure_logging(process.log_level, process.log_format)
    terminate_cleanly()
    tracing.start(settings.traces, "ml-data-server", **{"flops.node": settings.node})
    try:
        with serving(settings):
            threading.Event().wait()
    except (TerminationRequested, KeyboardInterrupt):
        logger.info("terminating")
    finally:
        tracing.stop()
    return ExitCode.TERMINATED


class AddressUnusableError(FlopsError):
    """The address or its port cannot be listened on."""

    exit_code = ExitCode.BAD_SETTINGS


def _listening(settings: Settings, store: Store, metrics: Metrics) -> FlightServer:
    location = _location(settings)
    try:
        return FlightServer(location, store, metrics, **_server_options(settings))
    except (pa.ArrowException, OSError) as error:
        raise AddressUnusableError(
            f"cannot listen at {location}: {error}",
            hint="Check that the port is free, and that the TLS certificate and key match.",
        ) from error


def _location(settings: Settings) -> str:
    scheme = "grpc+tls" if settings.tls_certificate else "grpc"
    return f"{scheme}://{settings.process.bind_address}:{settings.flight_port}"


def _server_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"middleware": {MIDDLEWARE: Identify(settings.doorkeeper)}}
    if settings.tls_certificate:
        pair = (settings.tls_certificate.encode(), settings.tls_key.encode())
        options["tls_certificates"] = [pair]
    return options

"""Wire the data server, and run it until it is asked to end."""

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from flops_contracts.exit_codes import ExitCode
from flops_ml_data_server.authentication import MIDDLEWARE, TokenCheck
from flops_ml_data_server.flight_server import FlightServer
from flops_ml_data_server.metrics import Metrics
from flops_ml_data_server.settings import Settings
from flops_ml_data_server.volume import Volume
from flops_runtime.logs import configure_logging
from flops_runtime.one_shot import TerminationRequested, terminate_cleanly
from flops_runtime.status import Status, StatusServer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Running:
    """Where a data server listens."""

    flight_port: int
    http_port: int


@contextmanager
def serving(settings: Settings, registry: CollectorRegistry = REGISTRY) -> Iterator[Running]:
    """Serve from here to the end of the context; raises ``VolumeUnusableError``, ``OSError``."""
    volume = Volume(settings.volume, settings.codec, settings.limits)
    status = Status("ml_data_server")
    with ExitStack() as stack:
        volume.open()
        stack.callback(volume.close)
        http = stack.enter_context(StatusServer(settings.process, status))
        server = FlightServer(
            _location(settings), volume, Metrics(registry), **_server_options(settings)
        )
        stack.callback(server.end)
        status.doing("serving")
        status.ready()
        logger.info("serving %s on port %d", settings.volume, server.port)
        yield Running(server.port, http.port)
        status.ready(is_ready=False)


def run(settings: Settings) -> ExitCode:
    """Serve until SIGTERM or Ctrl-C."""
    process = settings.process
    configure_logging(process.log_level, process.log_format)
    terminate_cleanly()
    try:
        with serving(settings):
            threading.Event().wait()
    except (TerminationRequested, KeyboardInterrupt):
        logger.info("asked to end")
    return ExitCode.TERMINATED


def _location(settings: Settings) -> str:
    scheme = "grpc+tls" if settings.tls_certificate else "grpc"
    return f"{scheme}://{settings.process.bind_address}:{settings.flight_port}"


def _server_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if settings.token:
        options["middleware"] = {MIDDLEWARE: TokenCheck(settings.token)}
    if settings.tls_certificate:
        pair = (settings.tls_certificate.encode(), settings.tls_key.encode())
        options["tls_certificates"] = [pair]
    return options

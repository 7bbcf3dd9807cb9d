"""Loads a model and serves it with MLflow's own application until the process is terminated.

Importing this module imports MLflow, which takes seconds.
"""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import uvicorn
from mlflow import pyfunc
from mlflow.pyfunc import scoring_server
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from flops_contracts.events import Kind, ModelServing
from flops_contracts.orders import ServeOrder
from flops_model_server.errors import ModelUnusableError
from flops_model_server.flavors import TorchModel
from flops_model_server.invocations import Invocations
from flops_model_server.metrics import count_prediction, trace_predictions
from flops_model_server.settings import Settings
from flops_runtime import tracing
from flops_runtime.asgi import Named, Watched
from flops_runtime.environment import variable_of
from flops_runtime.listening import listening_on
from flops_runtime.reporting import Reporter

logger = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 5
"""Time for requests to finish after SIGTERM; the process ends within ten seconds."""

PING_SECONDS: Final = 60.0


def serve(settings: Settings, reporter: Reporter) -> tuple[Kind, Any]:
    """Serve until SIGTERM, which leaves this function as ``TerminationRequested``.

    Raises ``ModelUnusableError`` or ``PortTakenError``; it never returns.
    """
    reporter.progress("Loading the model", 0, 1)
    with tracing.span("load the model"):
        model = load(settings.model_path)
        application = Invocations(scoring_server.init(model), model)
    with listening(settings) as listener:
        port: int = listener.getsockname()[1]
        address = settings.actor.process.bind_address
        threading.Thread(
            target=_announce, args=(address, port, reporter), name="announce", daemon=True
        ).start()
        config = uvicorn.Config(
            Watched(
                Named(application, settings.actor.instance), count_prediction, trace_predictions
            ),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])
    raise ModelUnusableError("the inference server stopped unexpectedly")


def load(path: Path) -> Any:
    """Load the MLflow model in ``path``; every failure is a ``ModelUnusableError``."""
    if not (path / "MLmodel").is_file():
        raise ModelUnusableError(
            f"{path} has no MLflow model", hint="Build the image of the model again."
        )
    try:
        model = pyfunc.load_model(str(path))
    except Exception as error:  # loading runs code of the model's author
        reason = f"{type(error).__name__}: {error}"[:1000]
        raise ModelUnusableError(
            f"the model cannot be loaded: {reason}",
            hint="It must load with only the packages of its requirements.txt.",
        ) from error
    return TorchModel(model) if "pytorch" in model.metadata.flavors else model


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Return the listener of the inference API; raise ``PortTakenError``."""
    address = (settings.actor.process.bind_address, settings.order.port)
    with listening_on(address, variable_of(ServeOrder, "port")):
        listener = socket.create_server(address, backlog=256)
        # Connections inherit it. asyncio sets it only on those of listeners that it made itself.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener


def _announce(address: str, port: int, reporter: Reporter) -> None:
    """Report that the model is served, once a request is answered."""
    retrying = Retrying(
        stop=stop_after_delay(PING_SECONDS),
        wait=wait_fixed(0.05),
        retry=retry_if_exception_type((OSError, HTTPException)),
        reraise=True,
    )
    try:
        retrying(_ping, address, port)
    except (OSError, HTTPException):
        logger.exception("the inference server does not answer")
        return
    reporter.status.doing("serving", 1, 1)
    reporter.status.ready()
    logger.info("serving on port %d", port)
    reporter.report(Kind.MODEL_SERVING, ModelServing(port))


def _ping(address: str, port: int) -> None:
    host = "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - compared, not bound
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/ping")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise HTTPException(f"/ping answered {status}")

"""MLflow's web application, served by uvicorn in this process until SIGTERM.

Importing MLflow takes seconds and reads the environment, so it is imported when serving starts:
after ``__main__`` has set MLflow's variables, when the status API already answers.
"""

import logging
import os
import threading
from types import FrameType

import uvicorn

from flops_contracts.exit_codes import ExitCode
from flops_runtime.asgi import Named, Watched
from flops_runtime.status import Status
from flops_tracking_server.metrics import count_request
from flops_tracking_server.mlflow_settings import ARTIFACTS_THROUGH_THE_SERVER
from flops_tracking_server.same_origin import SameOrigin, accepted_names
from flops_tracking_server.settings import Settings

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 4
END_SECONDS = 8.0
"""Time for requests to finish after SIGTERM, and until the process is forced to end."""


class TrackingServer(uvicorn.Server):
    """uvicorn's server that reports readiness and bounds its shutdown."""

    def __init__(self, config: uvicorn.Config, status: Status) -> None:
        super().__init__(config)
        self._status = status

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # uvicorn's list of sockets
        """Listen, then report readiness."""
        await super().startup(sockets)  # type: ignore[arg-type]  # see above
        self._status.doing("serving")
        self._status.ready(is_ready=self.started)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Wait for requests to finish, but not for a thread that hangs in a database call."""
        self._status.ready(is_ready=False)
        watchdog = threading.Timer(END_SECONDS, os._exit, (ExitCode.TERMINATED,))
        watchdog.daemon = True
        watchdog.start()
        super().handle_exit(sig, frame)


def serve(settings: Settings, status: Status) -> None:
    """Create or migrate the database, then serve until SIGTERM or SIGINT."""
    status.doing("loading MLflow")
    from flops_tracking_server.databases import ensure_database  # noqa: PLC0415 - as MLflow

    ensure_database(settings.stores.backend_url)
    from mlflow.server.fastapi_app import app  # noqa: PLC0415 - see the module's docstring
    from mlflow.server.handlers import initialize_backend_stores  # noqa: PLC0415

    status.doing("preparing the database")
    initialize_backend_stores(
        settings.stores.backend_url, settings.stores.backend_url, ARTIFACTS_THROUGH_THE_SERVER
    )
    guarded = SameOrigin(app, accepted_names(settings))
    config = uvicorn.Config(
        Watched(Named(guarded, settings.order.instance), count_request),
        host=settings.process.bind_address,
        port=settings.order.port,
        log_config=None,
        access_log=settings.process.log_level == "DEBUG",
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    TrackingServer(config, status).run()
    logger.info("ended")

"""Whether this process lives, whether it can work, and its metrics."""

from collections.abc import Callable
from typing import Any

from flask import Response

from flops_manager.domain.errors import StoreUnavailableError
from flops_manager.entrypoints.api.telemetry import Telemetry


class StatusViews:
    """The same three paths as on every service of FLOps."""

    def __init__(self, is_ready: Callable[[], bool], telemetry: Telemetry) -> None:
        self._is_ready = is_ready
        self._telemetry = telemetry

    def healthz(self) -> dict[str, Any]:
        """Say that the process answers."""
        return {"message": "ok"}

    def readyz(self) -> dict[str, Any]:
        """Say whether the store can be reached."""
        if not self._is_ready():
            raise StoreUnavailableError("The database does not answer.")
        return {"message": "ready"}

    def metrics(self) -> Response:
        """Tell what Prometheus scrapes."""
        return self._telemetry.exposition()

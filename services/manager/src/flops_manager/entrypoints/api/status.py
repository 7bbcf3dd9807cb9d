"""Liveness, readiness and metrics of this process."""

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
        """Answer that the process lives."""
        return {"message": "ok"}

    def readyz(self) -> dict[str, Any]:
        """Answer whether the store can be reached."""
        if not self._is_ready():
            raise StoreUnavailableError("The database does not answer.")
        return {"message": "ready"}

    def metrics(self) -> Response:
        """Return the metrics for Prometheus."""
        return self._telemetry.exposition()

"""Liveness, readiness and metrics of this process."""

from collections.abc import Callable
from typing import Any

from flask import Response

from flops_manager.entrypoints.api.telemetry import Telemetry


class StatusViews:
    """The same three paths as on every service of FLOps."""

    def __init__(self, require_ready: Callable[[], None], telemetry: Telemetry) -> None:
        self._require_ready = require_ready
        self._telemetry = telemetry

    def healthz(self) -> dict[str, Any]:
        """Answer that the process lives."""
        return {"message": "ok"}

    def readyz(self) -> dict[str, Any]:
        """Answer whether database and root can be used; what is wrong is raised."""
        self._require_ready()
        return {"message": "ready"}

    def metrics(self) -> Response:
        """Return the metrics for Prometheus."""
        return self._telemetry.exposition()

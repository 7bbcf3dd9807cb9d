"""The API process: gunicorn, started from Python, over the Flask app."""

from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from flops_manager.bootstrap import build
from flops_manager.entrypoints.api.app import create_app
from flops_manager.entrypoints.api.serving import STREAMS
from flops_manager.settings import Settings
from flops_runtime import tracing

GRACE_SECONDS = 8
"""A container is killed ten seconds after SIGTERM."""


class StreamingWorker(ThreadWorker):
    """A worker that ends its live streams on SIGTERM, not only after its grace time."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End every stream at its next poll, then do as gunicorn does."""
        self._end_streams()
        super().handle_exit(sig, frame)

    def is_parent_alive(self) -> bool:
        """Release the port when the master was killed, for the next master."""
        if super().is_parent_alive():
            return True
        self._end_streams()
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        return False

    def _end_streams(self) -> None:
        app = getattr(self, "wsgi", None)
        if isinstance(app, Flask):
            app.extensions[STREAMS].close()


class RootLogger(Logger):
    """Passes gunicorn's lines to the root logger's handlers instead of its own."""

    def setup(self, cfg: Config) -> None:
        """Set the levels, and remove gunicorn's handlers."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class ApiServer(BaseApplication):
    """Serves the API until SIGTERM; each of its processes has a core of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Configure gunicorn by the settings."""
        settings = self._settings
        options: dict[str, Any] = {
            "bind": f"{settings.bind_address}:{settings.api_port}",
            "workers": settings.api_processes,
            "worker_class": StreamingWorker,
            "threads": settings.api_threads + settings.max_streams,
            "graceful_timeout": GRACE_SECONDS,
            "timeout": 60,
            "accesslog": None,
            "logger_class": RootLogger,
            "loglevel": settings.process.log_level.lower(),
            "proc_name": "flops-manager-api",
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the app; called in each process."""
        tracing.start(self._settings.traces, "manager-api")
        return create_app(build(self._settings), self._settings)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM."""
    ApiServer(settings).run()

"""The sockets: a waitress server for each address, all in this process."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from waitress.server import create_server

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listener:
    """An application and where it listens."""

    name: str
    app: Any
    address: str
    port: int
    threads: int = 2


class Servers:
    """Serves all listeners from ``start`` to ``close``."""

    def __init__(self, listeners: Sequence[Listener], max_body_bytes: int) -> None:
        self._listeners = listeners
        self._max_body_bytes = max_body_bytes
        self._servers: list[Any] = []
        self._is_closed = False

    def start(self) -> None:
        """Listen on all addresses; if one is taken, listen on none and raise ``OSError``."""
        # In a burst of requests, a warning for each would flood the log.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        try:
            for listener in self._listeners:
                self._servers.append(self._bound(listener))
        except OSError:
            self.close()
            raise
        for listener, server in zip(self._listeners, self._servers, strict=True):
            name = f"http {listener.name}"
            threading.Thread(target=self._run, args=(server,), name=name, daemon=True).start()
            logger.info("%s on http://%s:%d", listener.name, listener.address, listener.port)

    def close(self) -> None:
        """Stop listening; the threads end with the process."""
        self._is_closed = True
        for server in self._servers:
            server.close()
        self._servers.clear()

    def _run(self, server: Any) -> None:
        try:
            server.run()
        except OSError:
            # ``close`` has closed its socket.
            if not self._is_closed:
                raise

    def _bound(self, listener: Listener) -> Any:
        try:
            return create_server(
                listener.app,
                host=listener.address,
                port=listener.port,
                threads=listener.threads,
                ident=None,
                max_request_body_size=self._max_body_bytes,
            )
        except OSError as error:
            where = f"{listener.address}:{listener.port}"
            raise OSError(
                error.errno, f"{listener.name} cannot listen on {where}: {error}"
            ) from error

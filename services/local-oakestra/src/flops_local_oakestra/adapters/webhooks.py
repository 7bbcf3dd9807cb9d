"""Calls webhooks in the background; late, lost and refused calls are only logged."""

import json
import logging
import queue
import threading
from http.client import HTTPException
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 5.0
AT_ONCE: Final = 4
WAITING: Final = 1000
"""How many calls may wait; a root would start a thread for each."""


class Webhooks:
    """Posts JSON; its threads start with the first call and end with the process."""

    def __init__(self) -> None:
        self._calls: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(WAITING)
        self._opener = build_opener(ProxyHandler({}))
        self._lock = threading.Lock()
        self._is_started = False

    def send(self, url: str, document: dict[str, Any]) -> None:
        """Queue ``document`` for posting; drop it if too many are waiting."""
        self._start()
        try:
            self._calls.put_nowait((url, document))
        except queue.Full:
            logger.warning("the webhook %s was dropped: too many are waiting", _place(url))

    def _start(self) -> None:
        with self._lock:
            if not self._is_started:
                self._is_started = True
                for _ in range(AT_ONCE):
                    threading.Thread(target=self._work, name="webhooks", daemon=True).start()

    def _work(self) -> None:
        while True:
            url, document = self._calls.get()
            try:
                request = Request(  # noqa: S310 - as at the root, the caller of the API chooses the URL
                    url, json.dumps(document).encode(), {"Content-Type": "application/json"}
                )
                self._opener.open(request, timeout=TIMEOUT_SECONDS).close()
            except (OSError, HTTPException, ValueError) as error:
                logger.warning("the webhook %s failed: %s", _place(url), error)


def _place(url: str) -> str:
    """Return the URL without its last part, which may be a secret."""
    return url.rpartition("/")[0]

"""Webhooks of an Oakestra root: registered at its resource abstractor, received here.

The root signs nothing, so a call proves itself by an unguessable path that only the registration
told, and even then it is believed no more than that it is worth to look. The abstractor hands the
path to everybody who may list its hooks; all that they could do with it is to make us look.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import requests

from flops_manager.adapters.hook_receiver import HookReceiver
from flops_manager.adapters.oakestra_session import (
    direct_session,
    document_of,
    reaching,
    understanding,
)
from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = (1.0, 3.0)
"""Nobody waits for hooks, and they must not keep a manager from ending."""

ENTITY: Final = "jobs"
EVENTS: Final = ("post_update", "post_delete")


class OakestraHooks:
    """Keeps one hook at the root, under a name that the next manager of this place will find.

    ``own_url`` is where the root reaches the receiver, without the secret path.
    """

    def __init__(self, hooks_url: str, own_url: str, bind_address: str, port: int) -> None:
        self._hooks_url = f"{hooks_url.rstrip('/')}/api/v1/hooks/"
        self._own_url = own_url.rstrip("/")
        self._name = f"flops{sha256(self._own_url.encode()).hexdigest()[:12]}"
        self._path = secrets.token_urlsafe(24)
        self._receiver = HookReceiver(bind_address, port, self._path, ENTITY, EVENTS)
        self._http = direct_session()
        self._is_heard = False
        self._lock = threading.Lock()

    @property
    def is_heard(self) -> bool:
        """Whether the hook was at the root when somebody last looked."""
        return self._is_heard

    def hear(self, tell: Callable[[], None]) -> None:
        """Listen, and make sure that the root knows where."""
        with self._lock:
            self._is_heard = False
            self._hear(tell)
            self._is_heard = True

    def stop(self) -> None:
        """Unregister and close; a root that is away keeps a hook that the next manager replaces."""
        with self._lock:
            was_heard, self._is_heard = self._is_heard, False
            self._receiver.close()
            if was_heard:
                try:
                    self._remove()
                except (OrchestratorUnavailableError, OrchestratorRefusedError) as error:
                    logger.warning("a webhook stays at the orchestrator: %s", error.reason)

    def _hear(self, tell: Callable[[], None]) -> None:
        self._receiver.start(tell)
        wanted = {
            "hook_name": self._name,
            "webhook_url": f"{self._own_url}/{self._path}",
            "entity": ENTITY,
            "events": list(EVENTS),
        }
        if not any(one.items() >= wanted.items() for one in self._own_hooks()):
            # One of an earlier process has the name, and a path that nobody answers any more.
            self._remove()
            document_of(self._ask("POST", "", wanted))
            logger.info("the orchestrator tells changes to %s", self._own_url)

    def _own_hooks(self) -> Sequence[Mapping[str, Any]]:
        listed = document_of(self._ask("GET", ""))
        with understanding(f"GET {self._hooks_url}"):
            return [one for one in listed or () if one["hook_name"] == self._name]

    def _remove(self) -> None:
        for hook in self._own_hooks():
            with understanding(f"GET {self._hooks_url}"):
                self._ask("DELETE", str(hook["_id"]))

    def _ask(self, method: str, path: str, document: Any = None) -> requests.Response:
        url = f"{self._hooks_url}{path}"
        with reaching(url):
            return self._http.request(method, url, json=document, timeout=TIMEOUT_SECONDS)

"""Webhooks of an Oakestra root: registered at its resource abstractor, received here.

The root signs nothing, so a call is authenticated by an unguessable path, and all that it triggers
is a look at the orchestrator. Everybody who may list the abstractor's hooks can read the path; all
that they could do with it is to trigger looks.
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
"""Short, because hooks are optional and must not delay the end of a manager."""

ENTITY: Final = "jobs"
EVENTS: Final = ("post_update", "post_delete")


class OakestraHooks:
    """Keeps one hook at the root, under a name that the next manager at this URL will find.

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
        """Return whether the hook was at the root at the last check."""
        return self._is_heard

    def hear(self, tell: Callable[[], None]) -> None:
        """Listen, and make sure that the hook is registered."""
        with self._lock:
            self._is_heard = False
            self._hear(tell)
            self._is_heard = True

    def stop(self) -> None:
        """Unregister and close. The next manager replaces a hook that could not be removed."""
        with self._lock:
            was_heard, self._is_heard = self._is_heard, False
            self._receiver.close()
            if was_heard:
                try:
                    self._remove()
                except (OrchestratorUnavailableError, OrchestratorRefusedError) as error:
                    logger.warning("a webhook is left at the orchestrator: %s", error.reason)

    def _hear(self, tell: Callable[[], None]) -> None:
        self._receiver.start(tell)
        hook = {
            "hook_name": self._name,
            "webhook_url": f"{self._own_url}/{self._path}",
            "entity": ENTITY,
            "events": list(EVENTS),
        }
        if not any(each.items() >= hook.items() for each in self._own_hooks()):
            # One of an earlier process has the same name, and another path.
            self._remove()
            document_of(self._ask("POST", "", hook))
            logger.info("the orchestrator reports changes to %s", self._own_url)

    def _own_hooks(self) -> Sequence[Mapping[str, Any]]:
        listed = document_of(self._ask("GET", ""))
        with understanding(f"GET {self._hooks_url}"):
            return [hook for hook in listed or () if hook["hook_name"] == self._name]

    def _remove(self) -> None:
        for hook in self._own_hooks():
            with understanding(f"GET {self._hooks_url}"):
                self._ask("DELETE", str(hook["_id"]))

    def _ask(self, method: str, path: str, document: Any = None) -> requests.Response:
        url = f"{self._hooks_url}{path}"
        with reaching(url):
            return self._http.request(method, url, json=document, timeout=TIMEOUT_SECONDS)

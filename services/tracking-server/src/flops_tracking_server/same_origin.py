"""Requests that pages of other sites make a browser send are refused, at any address.

MLflow's own protection compares with lists of hosts and origins, which a service on a node cannot
know. These rules need none:

- A page that got at this server by DNS rebinding sends its own name as ``Host``, never a plain
  address. So every IP address is accepted, and of names only the given ones.
- A browser names the origin of the page in requests that change something. It has to be this
  server, as the browser calls it in ``Host``.
"""

import ipaddress
import logging
from collections.abc import Collection, MutableMapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from flops_runtime.asgi import Application, Receive, Scope, Send
from flops_tracking_server.settings import Settings

logger = logging.getLogger(__name__)

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PROTECTION: Final = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"SAMEORIGIN"))


def accepted_names(settings: Settings) -> frozenset[str]:
    """Return the host names, without ports, that requests may be for."""
    return frozenset({"localhost", *(name.lower() for name in settings.order.allowed_hosts)})


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Return whether a ``Host`` header holds an IP address or one of ``names``."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in names or _is_address(name)


def is_own_origin(origin: str, host: str) -> bool:
    """Return whether a page from ``origin`` was loaded from where it now sends a request to."""
    return urlsplit(origin).netloc.lower() == host.lower()


class SameOrigin:
    """The application, for requests that no other site's page can have caused."""

    def __init__(self, application: Application, names: Collection[str]) -> None:
        self._application = application
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or with 403 and a sentence that says what to change."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif problem := self._problem(scope):
            await _refuse(send, problem)
        else:
            await self._application(scope, receive, _protecting(send))

    def _problem(self, scope: Scope) -> str:
        """Return why a request is refused; empty if it is not."""
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin", "")
        if not is_own_host(host, self._names):
            return (
                f"This server does not answer for the host '{host}'. Use its IP address, or add "
                "the name to FLOPS_TRACKING_ALLOWED_HOSTS of the manager."
            )
        if scope["method"] not in READING and origin and not is_own_origin(origin, host):
            return f"A page of {origin} may not change anything here."
        return ""


def _protecting(send: Send) -> Send:
    """Return a ``send`` that adds the headers by which browsers protect pages."""

    async def protect(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *PROTECTION]
        await send(message)

    return protect


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(send: Send, sentence: str) -> None:
    logger.warning("refused a request: %s", sentence)
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *PROTECTION]
    await send({"type": "http.response.start", "status": HTTPStatus.FORBIDDEN, "headers": headers})
    await send({"type": "http.response.body", "body": f"{sentence}\n".encode()})

"""Who looks at a page: a session in cookies, or anyone on this machine without authentication.

The cookies hold the orchestrator's own tokens, so the manager stores no sessions and has no key of
its own to keep; scripts cannot read them (HttpOnly), and other sites' forms do not send them
(SameSite). ``flops_browser`` is a random text that the tokens against forged writes follow from.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from flask import Request, Response, g, redirect, request

from flops_manager.domain.errors import NotAllowedError, NotAuthenticatedError
from flops_manager.entrypoints.api.callers import is_loopback
from flops_manager.ports.accounts import Accounts, Tokens
from flops_manager.ports.tokens import TokenVerifier
from flops_manager.usecases.caller import Caller

ACCESS: Final = "flops_session"
REFRESH: Final = "flops_renewal"
BROWSER: Final = "flops_browser"
FIELD: Final = "csrf"
"""The name of the form field that proves that a page of ours sent the form."""

_RANDOM: Final = re.compile(r"[0-9a-f]{64}\Z")
_LOCAL_PATH: Final = re.compile(r"/[A-Za-z0-9_./?=&%-]*\Z")
SESSION_SECONDS: Final = 12 * 3600
"""How long a browser keeps the session; the orchestrator may end it earlier."""


class Visitors(Protocol):
    """Finds out who looks at a page."""

    @property
    def can_sign_in(self) -> bool:
        """Whether there are accounts at all."""

    def of(self, request: Request) -> Caller:
        """Return the visitor; raise ``NotAuthenticatedError`` if they have to sign in."""

    def sign_in(self, user: str, password: str, organization: str) -> Tokens:
        """Return the tokens for the session."""


class SignedInVisitors:
    """People with an account of the orchestrator."""

    can_sign_in = True

    def __init__(self, verifier: TokenVerifier, accounts: Accounts) -> None:
        self._verifier = verifier
        self._accounts = accounts

    def of(self, request: Request) -> Caller:
        """See ``Visitors``; an access token that has run out is renewed on the way."""
        try:
            identity = self._verifier.verify(request.cookies.get(ACCESS, ""))
        except NotAuthenticatedError:
            renewal = request.cookies.get(REFRESH, "")
            if not renewal:
                raise
            renewed = self._accounts.renew(renewal)
            identity = self._verifier.verify(renewed)
            g.renewed_token = renewed
        return Caller(user=identity.user, is_admin=identity.is_admin)

    def sign_in(self, user: str, password: str, organization: str) -> Tokens:
        """See ``Visitors``."""
        tokens = self._accounts.log_in(user, password, organization)
        self._verifier.verify(tokens.access)
        return tokens


class LocalVisitors:
    """Everyone on this machine, for the embedded mode without authentication."""

    can_sign_in = False

    def of(self, request: Request) -> Caller:
        """See ``Visitors``; a name that could mean another machine is refused (DNS rebinding)."""
        if not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            raise NotAllowedError(
                f"Without authentication only this machine is served, not '{request.host}'.",
                hint="Use the loopback address, or switch FLOPS_AUTH on.",
            )
        return Caller(user="", is_admin=True)

    def sign_in(self, user: str, password: str, organization: str) -> Tokens:  # noqa: ARG002
        """There is nothing to sign in to."""
        raise NotAllowedError("FLOPS_AUTH is off: there is no need to sign in.")


@dataclass(frozen=True)
class Doorkeeper:
    """What stands before every page of the site."""

    visitors: Visitors

    def guard(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Let a view see known visitors only, and writes only from our own pages."""

        def guarded(**path: str) -> Any:
            g.caller = self.visitors.of(request)
            g.user = g.caller.user
            if request.method == "POST":
                require_own_page(request)
            return view(**path)

        return guarded


def caller() -> Caller:
    """Return who asks for the present page."""
    known: Caller = g.caller
    return known


def csrf_token() -> str:
    """Return what a form has to send back; it follows from a cookie that no script can read."""
    return sha256(f"csrf:{_browser()}".encode()).hexdigest()


def _browser() -> str:
    if "browser" not in g:
        known = request.cookies.get(BROWSER, "")
        g.is_new_browser = _RANDOM.match(known) is None
        g.browser = secrets.token_hex(32) if g.is_new_browser else known
    return str(g.browser)


def require_own_page(request: Request) -> None:
    """Raise ``NotAllowedError`` unless a form of this site was sent."""
    origin = request.headers.get("Origin")
    is_foreign = request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    if is_foreign or (origin is not None and urlsplit(origin).netloc != request.host):
        raise NotAllowedError("No other web site may do this.")
    sent = request.form.get(FIELD, "")
    if not request.cookies.get(BROWSER) or not hmac.compare_digest(
        sent.encode(), csrf_token().encode()
    ):
        raise NotAllowedError(
            "The form has expired.", hint="Go back, load the page again, and send it again."
        )


def keep_session(response: Response) -> Response:
    """Give the browser what became known during the request."""
    if g.get("is_new_browser"):
        _set(response, BROWSER, g.browser)
    if "renewed_token" in g:
        _set(response, ACCESS, g.renewed_token)
    return response


def begin_session(response: Response, tokens: Tokens) -> None:
    """Put the tokens into the browser, and forget what was known of it before."""
    _set(response, ACCESS, tokens.access)
    _set(response, REFRESH, tokens.refresh)
    _set(response, BROWSER, secrets.token_hex(32))


def end_session(response: Response) -> None:
    """Take everything out of the browser."""
    for name in (ACCESS, REFRESH, BROWSER):
        response.delete_cookie(name, httponly=True, samesite="Lax")


def _set(response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )


def to_sign_in() -> Response:
    """Send the browser to the sign-in page; a page that updates itself is told so by a header."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/"
    if is_partial():
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.headers["HX-Refresh"] = "true"
        return response
    target = (
        f"/sign-in?next={wanted}" if _LOCAL_PATH.match(wanted) and wanted != "/" else "/sign-in"
    )
    answer = redirect(target, HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)  # noqa: S101 - flask's own class, as mypy cannot know
    return answer


def local_path(text: str) -> str:
    """Return ``text`` if it is a path of this site, or the first page."""
    is_path = _LOCAL_PATH.match(text) and not text.startswith("//")
    return text if is_path else "/projects"


def is_partial() -> bool:
    """Say whether a part of a page is asked for, not all of it."""
    return request.headers.get("HX-Request") == "true"

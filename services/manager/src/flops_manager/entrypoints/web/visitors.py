"""Visitors of pages: a session in cookies, or anyone on this machine without authentication.

The cookies hold the orchestrator's own tokens, so the manager stores no sessions and no key of
its own; scripts cannot read them (HttpOnly), and other sites' forms do not send them (SameSite).
``flops_browser`` is random; the tokens against forged writes are derived from it.
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
"""The form field that proves that one of our pages sent the form."""

_RANDOM: Final = re.compile(r"[0-9a-f]{64}\Z")
_LOCAL_PATH: Final = re.compile(r"/[A-Za-z0-9_./?=&%-]*\Z")
SESSION_SECONDS: Final = 12 * 3600
"""How long a browser keeps the session; the orchestrator may end it earlier."""


class Visitors(Protocol):
    """Authenticates the visitor of a page."""

    @property
    def can_sign_in(self) -> bool:
        """Return whether there are accounts at all."""

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
        """See ``Visitors``; an expired access token is renewed."""
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
        """See ``Visitors``; a host that could mean another machine is refused (DNS rebinding)."""
        if not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            raise NotAllowedError(
                f"Without authentication only this machine is served, not '{request.host}'.",
                hint="Use the loopback address, or set FLOPS_AUTH=on.",
            )
        return Caller(user="", is_admin=True)

    def sign_in(self, user: str, password: str, organization: str) -> Tokens:  # noqa: ARG002
        """There is nothing to sign in to."""
        raise NotAllowedError("FLOPS_AUTH is off: signing in is not needed.")


@dataclass(frozen=True)
class Doorkeeper:
    """Authenticates the visitor before every page of the site."""

    visitors: Visitors

    def guard(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Return a view for authenticated visitors, and for writes from our own pages only."""

        def guarded(**path: str) -> Any:
            g.caller = self.visitors.of(request)
            g.user = g.caller.user
            if request.method == "POST":
                require_own_page(request)
            return view(**path)

        return guarded


def caller() -> Caller:
    """Return the visitor of the current page."""
    visitor: Caller = g.caller
    return visitor


def csrf_token() -> str:
    """Return the token of forms; it is derived from a cookie that scripts cannot read."""
    return sha256(f"csrf:{_browser()}".encode()).hexdigest()


def _browser() -> str:
    if "browser" not in g:
        cookie = request.cookies.get(BROWSER, "")
        g.is_new_browser = _RANDOM.match(cookie) is None
        g.browser = secrets.token_hex(32) if g.is_new_browser else cookie
    return str(g.browser)


def require_own_page(request: Request) -> None:
    """Raise ``NotAllowedError`` unless a form of this site was submitted."""
    origin = request.headers.get("Origin")
    is_foreign = request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    if is_foreign or (origin is not None and urlsplit(origin).netloc != request.host):
        raise NotAllowedError("Requests from other web sites are refused.")
    sent = request.form.get(FIELD, "")
    if not request.cookies.get(BROWSER) or not hmac.compare_digest(
        sent.encode(), csrf_token().encode()
    ):
        raise NotAllowedError(
            "The form has expired.", hint="Go back, load the page again, and send it again."
        )


def keep_session(response: Response) -> Response:
    """Set the cookies that this request created or renewed."""
    if g.get("is_new_browser"):
        _set(response, BROWSER, g.browser)
    if "renewed_token" in g:
        _set(response, ACCESS, g.renewed_token)
    return response


def begin_session(response: Response, tokens: Tokens) -> None:
    """Set the cookies of a new session."""
    _set(response, ACCESS, tokens.access)
    _set(response, REFRESH, tokens.refresh)
    _set(response, BROWSER, secrets.token_hex(32))


def end_session(response: Response) -> None:
    """Delete the session's cookies."""
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
    """Redirect to the sign-in page; a header makes pages that update themselves reload."""
    page = request.full_path.rstrip("?") if request.method == "GET" else "/"
    if is_partial():
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.headers["HX-Refresh"] = "true"
        return response
    target = f"/sign-in?next={page}" if _LOCAL_PATH.match(page) and page != "/" else "/sign-in"
    answer = redirect(target, HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)  # noqa: S101 - flask's own class, as mypy cannot know
    return answer


def local_path(text: str) -> str:
    """Return ``text`` if it is a path of this site, or the first page."""
    is_path = _LOCAL_PATH.match(text) and not text.startswith("//")
    return text if is_path else "/projects"


def is_partial() -> bool:
    """Return whether only a part of a page is requested."""
    return request.headers.get("HX-Request") == "true"

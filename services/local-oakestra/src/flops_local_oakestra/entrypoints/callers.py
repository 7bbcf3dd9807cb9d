"""Authentication of callers, with the two ways in which parts of the root refuse a token."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from flask import g, request
from flask.typing import ResponseReturnValue

from flops_local_oakestra.domain.users import ADMIN
from flops_local_oakestra.ports.tokens import BadTokenError, Identity, Tokens, TokenType

View = TypeVar("View", bound=Callable[..., Any])

NOT_ENOUGH: Final = ({"message": "You have not enough permissions!"}, 403)
_BEARER: Final = "Bearer"
_FORM: Final = "Expected 'Authorization: Bearer <JWT>'"


def caller() -> Identity:
    """Return the caller; only in views behind one of the checks below."""
    identity: Identity = g.caller
    return identity


def explained_check(
    tokens: Tokens, type: TokenType = TokenType.ACCESS
) -> Callable[[], ResponseReturnValue | None]:
    """Return a check that answers 401, or 422 for a malformed token, with the reason in ``msg``."""

    def check() -> ResponseReturnValue | None:
        try:
            g.caller = _identity(tokens, type)
        except BadTokenError as error:
            return {"msg": str(error)}, 422 if error.is_malformed else 401
        return None

    return check


def terse_check(tokens: Tokens) -> Callable[[], ResponseReturnValue | None]:
    """Return a check that always answers 401 with the same message."""

    def check() -> ResponseReturnValue | None:
        try:
            g.caller = _identity(tokens, TokenType.ACCESS)
        except BadTokenError:
            return {"message": "Missing authentication token"}, 401
        return None

    return check


def admin_only(view: View) -> View:
    """Allow a view only for callers with the role Admin."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if ADMIN in caller().roles else NOT_ENOUGH

    return checked  # type: ignore[return-value]  # wraps keeps the signature, not the type


def _identity(tokens: Tokens, type: TokenType) -> Identity:
    header = request.headers.get("Authorization", "")
    if not header:
        raise BadTokenError("Missing Authorization Header", is_malformed=False)
    kind, _, token = header.partition(" ")
    if kind != _BEARER:
        message = f"Missing '{_BEARER}' type in 'Authorization' header. {_FORM}"
        raise BadTokenError(message, is_malformed=False)
    if not token or " " in token:
        raise BadTokenError(f"Bad Authorization header. {_FORM}", is_malformed=True)
    return tokens.verify(token, type)

"""Login, token refresh, users and permissions over HTTP."""

from typing import Any

from flask import Blueprint, request

from flops_local_oakestra.domain.errors import UnknownOrganizationError, WrongCredentialsError
from flops_local_oakestra.domain.users import ORGANIZATION
from flops_local_oakestra.entrypoints.answers import failed, mislabelled
from flops_local_oakestra.entrypoints.callers import (
    NOT_ENOUGH,
    caller,
    explained_check,
    terse_check,
)
from flops_local_oakestra.ports.tokens import TokenType
from flops_local_oakestra.usecases.accounts import Accounts


def auth_blueprint(accounts: Accounts) -> Blueprint:
    """Serve /api/auth."""
    blueprint = Blueprint("auth", __name__, url_prefix="/api/auth")
    check_refresh_token = explained_check(accounts.tokens, TokenType.REFRESH)

    @blueprint.post("/login")
    def login() -> Any:
        content = request.get_json()
        # A missing field is a KeyError and so a 500, as at the root.
        organization = content.get("organization_name", ORGANIZATION)
        return accounts.login(content["username"], content["password"], organization)

    @blueprint.post("/refresh")
    def refresh() -> Any:
        return check_refresh_token() or accounts.refresh(caller())

    blueprint.register_error_handler(WrongCredentialsError, lambda _: failed(401))
    blueprint.register_error_handler(UnknownOrganizationError, lambda _: failed(404))
    return blueprint


def users_blueprint(accounts: Accounts) -> Blueprint:
    """Serve /api/user/<name> and /api/permission/<name>, each only to its user."""
    blueprint = Blueprint("users", __name__, url_prefix="/api")
    blueprint.before_request(terse_check(accounts.tokens))

    @blueprint.get("/user/<name>")
    def user(name: str) -> Any:
        if caller().name != name:
            return NOT_ENOUGH
        return mislabelled(accounts.user_document(name))

    @blueprint.get("/permission/<name>")
    def permission(name: str) -> Any:
        if caller().name != name:
            return NOT_ENOUGH
        return {"roles": list(caller().roles)}

    return blueprint

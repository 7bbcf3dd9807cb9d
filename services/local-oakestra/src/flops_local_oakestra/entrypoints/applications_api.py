"""Applications over HTTP."""

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from flops_local_oakestra.domain.errors import (
    BadDescriptorError,
    BrokenDescriptorError,
    NotFoundError,
    RefusedError,
    TakenNameError,
)
from flops_local_oakestra.entrypoints.answers import failed, logger, twice_encoded
from flops_local_oakestra.entrypoints.callers import admin_only, caller, explained_check
from flops_local_oakestra.usecases.accounts import Accounts
from flops_local_oakestra.usecases.applications import Applications

STATUS: Final = {
    BadDescriptorError: HTTPStatus.UNPROCESSABLE_ENTITY,
    BrokenDescriptorError: HTTPStatus.INTERNAL_SERVER_ERROR,
    TakenNameError: HTTPStatus.CONFLICT,
    # The real root overwrites nothing here and crashes.
    NotFoundError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def application_blueprint(accounts: Accounts, applications: Applications) -> Blueprint:
    """Serve /api/application."""
    blueprint = Blueprint("application", __name__, url_prefix="/api/application")
    blueprint.before_request(explained_check(accounts.tokens))

    @blueprint.post("/")
    def create() -> Response:
        return twice_encoded(applications.create(request.get_json(), caller().name))

    @blueprint.get("/<application_id>")
    def get(application_id: str) -> Any:
        if not applications.exists(application_id, caller().name):
            return failed(404)
        # The real root returns the document only on the path where it is not found.
        return jsonify(None)

    @blueprint.put("/<application_id>")
    def update(application_id: str) -> dict[str, str]:
        applications.update(application_id, caller().name, request.get_json())
        return {"message": "Application is updated"}

    @blueprint.delete("/<application_id>")
    def delete(application_id: str) -> Any:
        is_deleted = applications.delete(application_id, caller().name)
        return {"message": "Application Deleted"} if is_deleted else failed(501)

    @blueprint.errorhandler(RefusedError)
    def refuse(error: RefusedError) -> Any:
        logger.warning("%s: %s", type(error).__name__, error)
        return failed(STATUS[type(error)])

    return blueprint


def applications_blueprint(accounts: Accounts, applications: Applications) -> Blueprint:
    """Serve /api/applications."""
    blueprint = Blueprint("applications", __name__, url_prefix="/api/applications")
    blueprint.before_request(explained_check(accounts.tokens))

    @blueprint.get("/<user_id>")
    def of_user(user_id: str) -> Any:
        user = accounts.user(caller().name)
        if user is None or user.id != user_id:
            return failed(401)
        return twice_encoded(applications.of_user(user.name))

    @blueprint.get("/")
    @admin_only
    def all_() -> Response:
        return twice_encoded(applications.all())

    return blueprint

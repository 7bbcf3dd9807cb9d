"""Services and their instances over HTTP."""

from typing import Any

from flask import Blueprint, Response, request

from flops_local_oakestra.domain.errors import RefusedError
from flops_local_oakestra.entrypoints.answers import failed, logger, twice_encoded
from flops_local_oakestra.entrypoints.callers import admin_only, caller, terse_check
from flops_local_oakestra.usecases.accounts import Accounts
from flops_local_oakestra.usecases.deployments import Deployments
from flops_local_oakestra.usecases.services import Services

OK = {"message": "ok"}


def service_blueprint(accounts: Accounts, services: Services) -> Blueprint:
    """Serve /api/service."""
    blueprint = Blueprint("service", __name__, url_prefix="/api/service")
    blueprint.before_request(terse_check(accounts.tokens))

    @blueprint.post("/")
    def create() -> Any:
        sla = request.get_json()
        return services.create(sla, caller().name) if sla else failed(404)

    @blueprint.get("/<service_id>")
    def get(service_id: str) -> Any:
        document = services.get(service_id, caller().name)
        return twice_encoded(document) if document else failed(404)

    @blueprint.put("/<service_id>")
    def update(service_id: str) -> Any:
        del service_id
        return failed(501)

    @blueprint.delete("/<service_id>")
    def delete(service_id: str) -> Any:
        is_deleted = services.delete(service_id, caller().name)
        return {"message": "Job deleted"} if is_deleted else failed(500)

    @blueprint.errorhandler(RefusedError)
    def refuse(error: RefusedError) -> Any:
        logger.warning("%s: %s", type(error).__name__, error)
        return failed(400)

    return blueprint


def instances_blueprint(accounts: Accounts, deployments: Deployments) -> Blueprint:
    """Serve /api/service/<id>/instance; the answer is always ok, even if nothing was done."""
    blueprint = Blueprint("instances", __name__, url_prefix="/api/service/<service_id>/instance")
    blueprint.before_request(terse_check(accounts.tokens))

    @blueprint.post("")
    def deploy(service_id: str) -> Any:
        deployments.deploy(service_id, caller().name)
        return OK

    @blueprint.delete("/<number>")
    def undeploy(service_id: str, number: str) -> Any:
        # Anything but a number is a ValueError and so a 500, as at the root.
        deployments.undeploy(service_id, caller().name, int(number))
        return OK

    return blueprint


def services_blueprint(accounts: Accounts, services: Services) -> Blueprint:
    """Serve /api/services."""
    blueprint = Blueprint("services", __name__, url_prefix="/api/services")
    blueprint.before_request(terse_check(accounts.tokens))

    @blueprint.get("/<application_id>")
    def of_application(application_id: str) -> Any:
        documents = services.of_application(application_id, caller().name)
        return failed(404) if documents is None else twice_encoded(documents)

    @blueprint.get("/")
    @admin_only
    def all_() -> Response:
        return twice_encoded(services.all())

    return blueprint

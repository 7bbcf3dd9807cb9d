"""The root's API as one application."""

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from flops_local_oakestra.entrypoints.answers import answer_all_errors
from flops_local_oakestra.entrypoints.applications_api import (
    application_blueprint,
    applications_blueprint,
)
from flops_local_oakestra.entrypoints.auth_api import auth_blueprint, users_blueprint
from flops_local_oakestra.entrypoints.clusters_api import clusters_blueprint
from flops_local_oakestra.entrypoints.services_api import (
    instances_blueprint,
    service_blueprint,
    services_blueprint,
)
from flops_local_oakestra.metrics import RootMetrics
from flops_local_oakestra.usecases.root import Root

MAX_BODY_BYTES: Final = 4 << 20


def root_app(root: Root, is_ready: Callable[[], bool]) -> Flask:
    """Return the API of ``root``."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    answer_all_errors(app)
    app.register_blueprint(auth_blueprint(root.accounts))
    app.register_blueprint(users_blueprint(root.accounts))
    app.register_blueprint(application_blueprint(root.accounts, root.applications))
    app.register_blueprint(applications_blueprint(root.accounts, root.applications))
    app.register_blueprint(service_blueprint(root.accounts, root.services))
    app.register_blueprint(instances_blueprint(root.accounts, root.deployments))
    app.register_blueprint(services_blueprint(root.accounts, root.services))
    app.register_blueprint(clusters_blueprint(root.resources))
    metrics = RootMetrics(root.catalogue.instances_in)
    _count_requests(app, metrics)
    _serve_health(app, is_ready, metrics)
    return app


def _count_requests(app: Flask, metrics: RootMetrics) -> None:
    @app.after_request
    def count(response: Response) -> Response:
        method = request.method if request.url_rule else "other"
        metrics.requests.labels(method, str(response.status_code)).inc()
        return response


def _serve_health(app: Flask, is_ready: Callable[[], bool], counted: RootMetrics) -> None:
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"message": "ok"}

    @app.get("/readyz")
    def readyz() -> Any:
        return {"message": "ready"} if is_ready() else ({"message": "starting"}, 503)

    @app.get("/metrics")
    def metrics() -> Response:
        body = generate_latest(REGISTRY) + generate_latest(counted.registry)
        return Response(body, content_type=CONTENT_TYPE_LATEST)

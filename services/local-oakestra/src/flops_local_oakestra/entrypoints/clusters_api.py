"""Clusters at the root, and each cluster's own resource API."""

from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request

from flops_local_oakestra.domain.topology import Cluster
from flops_local_oakestra.entrypoints.answers import answer_all_errors, mislabelled
from flops_local_oakestra.usecases.resources import Resources

_FILTERS = ("candidate_name", "ip")


def clusters_blueprint(resources: Resources) -> Blueprint:
    """Serve /api/clusters without authentication."""
    blueprint = Blueprint("clusters", __name__, url_prefix="/api/clusters")

    @blueprint.get("/")
    @blueprint.get("/active")
    def active() -> Response:
        return mislabelled(resources.active_clusters())

    return blueprint


def cluster_app(resources: Resources, cluster: Cluster) -> Flask:
    """Return the resource API of a cluster, which lists its workers without authentication."""
    app = Flask(__name__)
    answer_all_errors(app)

    @app.get("/api/v1/resources/")
    def workers() -> Any:
        filters = {name: request.args[name] for name in _FILTERS if name in request.args}
        return jsonify(
            [
                node
                for node in resources.nodes(cluster)
                if all(node[name] == value for name, value in filters.items())
            ]
        )

    return app

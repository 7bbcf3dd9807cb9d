"""The views on a customer's tracking server and models, and on the database."""

from typing import Any

from flops_manager.entrypoints.api.answers import (
    DatabaseAnswerSchema,
    ModelAnswerSchema,
    ModelsAnswerSchema,
    TrackingAnswerSchema,
)
from flops_manager.entrypoints.api.callers import Call
from flops_manager.entrypoints.api.incoming import InvalidRequestError
from flops_manager.usecases.database import Database
from flops_manager.usecases.models import Models
from flops_manager.usecases.tracking import Tracking

Answer = dict[str, Any]


class TrackingViews:
    """The view on a customer's MLflow."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def get(self, call: Call) -> Answer:
        """Return the address; deploy the server if there is none."""
        if not call.customer:  # without authentication nobody has a name
            raise InvalidRequestError({"customerID": ["Required: whose tracking server?"]})
        server = self._tracking.url_for(call.caller, call.customer)
        message = f"The tracking server {'is' if server.is_running else 'will be'} at {server.url}"
        document: Answer = TrackingAnswerSchema().dump(
            {
                "message": message,
                "tracking_server_url": server.url,
                "is_running": server.is_running,
            }
        )
        return document


class ModelViews:
    """The views on trained models."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def list(self, call: Call) -> Answer:
        """List the sender's trained models; an Admin's list has everyone's."""
        number, size = call.query["page"], call.query["page_size"]
        page = self._models.list(call.scope, number, size)
        document: Answer = ModelsAnswerSchema().dump(
            {
                "message": f"{len(page.items)} of {page.total} models.",
                "models": page.items,
                "page": number,
                "page_size": size,
                "total": page.total,
            }
        )
        return document

    def get(self, call: Call, project_id: str) -> Answer:
        """Return the model of a project."""
        model = self._models.get(project_id, call.caller)
        message = f"Model {model.name}, version {model.version}."
        document: Answer = ModelAnswerSchema().dump({"message": message, "model": model})
        return document


class DatabaseViews:
    """The views for Admins only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reset(self, call: Call) -> Answer:
        """Delete every project and mock."""
        removed = self._database.reset(call.caller)
        message = f"{removed.projects} projects and {removed.mocks} mocks are deleted."
        document: Answer = DatabaseAnswerSchema().dump(
            {"message": message, "projects": removed.projects, "mocks": removed.mocks}
        )
        return document

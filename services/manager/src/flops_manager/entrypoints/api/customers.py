"""The views on a customer's tracking server and models, and on the database."""

from flops_contracts.api.answers import DatabaseAnswer, ModelAnswer, ModelsAnswer, TrackingAnswer
from flops_contracts.api.queries import PageQuery, Query
from flops_manager.entrypoints.api.callers import Call
from flops_manager.entrypoints.api.incoming import InvalidRequestError
from flops_manager.usecases.database import Database
from flops_manager.usecases.models import Models
from flops_manager.usecases.tracking import Tracking


class TrackingViews:
    """The view on a customer's MLflow."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def get(self, call: Call[Query]) -> TrackingAnswer:
        """Return the address; deploy the server if there is none."""
        if not call.customer:  # without authentication nobody has a name
            raise InvalidRequestError({"customerID": ["Required: whose tracking server?"]})
        server = self._tracking.url_for(call.caller, call.customer)
        message = f"The tracking server {'is' if server.is_running else 'will be'} at {server.url}"
        return TrackingAnswer(message, url=server.url, is_running=server.is_running)


class ModelViews:
    """The views on trained models."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def list(self, call: Call[PageQuery]) -> ModelsAnswer:
        """List the sender's trained models; an Admin's list has everyone's."""
        number, size = call.query.page, call.query.page_size
        page = self._models.list(call.scope, number, size)
        message = f"{len(page.items)} of {page.total} models."
        return ModelsAnswer(
            message, models=page.items, page=number, page_size=size, total=page.total
        )

    def get(self, call: Call[Query], project_id: str) -> ModelAnswer:
        """Return the model of a project."""
        model = self._models.get(project_id, call.caller)
        return ModelAnswer(f"Model {model.name}, version {model.version}.", model)


class DatabaseViews:
    """The views for Admins only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reset(self, call: Call[Query]) -> DatabaseAnswer:
        """Delete every project and mock."""
        removed = self._database.reset(call.caller)
        message = f"{removed.projects} projects and {removed.mocks} mocks are deleted."
        return DatabaseAnswer(message, projects=removed.projects, mocks=removed.mocks)

"""Trained models, as they follow from the projects."""

from datetime import datetime
from itertools import pairwise
from typing import Final

from flops_contracts.api.answers import Model
from flops_contracts.roles import Stage
from flops_manager.domain.errors import ModelNotFoundError, SubjectNotFoundError
from flops_manager.domain.projects import Project
from flops_manager.ports.stores import ProjectStore
from flops_manager.usecases.answers import Page
from flops_manager.usecases.caller import Caller

SCANNED: Final = 10_000
"""How many projects are looked through for their models."""


class Models:
    """Reads only; a model goes with its project."""

    def __init__(self, store: ProjectStore) -> None:
        self._store = store

    def list(self, caller: Caller, page: int = 1, page_size: int = 50) -> Page[Model]:
        """Return a page of the caller's models (an Admin's: all), newest project first."""
        customer_id = None if caller.is_admin else caller.user
        projects, _ = self._store.list(customer_id, None, 0, SCANNED)
        models = [model for model in map(model_of, projects) if model is not None]
        first = (page - 1) * page_size
        return Page(tuple(models[first : first + page_size]), len(models))

    def get(self, project_id: str, caller: Caller) -> Model:
        """Return the model of a project; raise ``ModelNotFoundError`` if it has none."""
        try:
            project = self._store.get(project_id).subject
        except SubjectNotFoundError as error:
            raise ModelNotFoundError(error.reason) from error
        model = model_of(project)
        if model is None or project.is_deleted or not caller.may_see(project.customer_id):
            raise ModelNotFoundError(f"There is no model of project {project_id}.")
        return model


def model_of(project: Project) -> Model | None:
    """Return the model that a project trained, or None."""
    trained = project.trained
    if trained is None:
        return None
    return Model(
        id=project.id,
        owner=project.customer_id,
        name=trained.model_name,
        version=trained.model_version,
        model_uri=trained.model_uri,
        run_id=trained.run_id,
        experiment_id=trained.experiment_id,
        best_round=trained.best_round,
        best_cycle=project.best_cycle,
        rounds=trained.rounds,
        loss=trained.loss,
        accuracy=trained.accuracy,
        image=project.model_image,
        address=project.model_address,
        repository=project.sla.ml_repo_url,
        commit=project.commit,
        trained_at=_end_of_training(project),
    )


def _end_of_training(project: Project) -> datetime:
    """Return when the stage after the last training began."""
    history = project.stage_history
    ends = [
        later.entered_at for earlier, later in pairwise(history) if earlier.stage is Stage.TRAINING
    ]
    return ends[-1] if ends else project.updated_at

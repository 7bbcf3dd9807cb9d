"""Trained models, as they follow from the projects."""

from flops_manager.usecases.answers import Page, TrainedModel
from flops_manager.usecases.caller import Caller


class Models:
    """Reads only; a model goes with its project."""

    def list(self, caller: Caller, page: int = 1, page_size: int = 50) -> Page[TrainedModel]:
        """Return a page of the caller's models (an Admin's: all), newest project first."""
        raise NotImplementedError

    def get(self, project_id: str, caller: Caller) -> TrainedModel:
        """Return the model of a project; raise ``ModelNotFoundError`` if it has none."""
        raise NotImplementedError

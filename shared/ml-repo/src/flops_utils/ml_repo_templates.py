"""The two classes that an ML repository fills in: one for its data, one for its model.

Names and signatures are public: repositories of others inherit from them.
"""

from abc import ABC, abstractmethod
from typing import Any


class DataManagerTemplate(ABC):
    """The data of one learner, prepared for the model; ``DataManager`` in ``data_manager.py``."""

    @abstractmethod
    def _prepare_data(self) -> Any:
        """Load this learner's rows and bring them into the shape that the model wants.

        The rows come from ``flops_utils.ml_repo_building_blocks.load_dataset``; split, scale and
        augment them here. It is meant to be called once, by the constructor.
        """

    @abstractmethod
    def get_data(self) -> tuple[Any, Any]:
        """Return what ``_prepare_data`` made, as a pair.

        A usual pair is (training data, test data); only ``ModelManager`` looks at it.
        """


class ModelManagerTemplate(ABC):
    """The model and its training; ``ModelManager`` in ``model_manager.py``.

    Aggregators make one as well, for the initial parameters and for logging the model. They have
    no data, so the constructor must not load any: ``set_model_data`` does.
    """

    @abstractmethod
    def set_model_data(self) -> None:
        """Get the data from ``DataManager`` and keep them; learners call it before round 1."""

    @abstractmethod
    def get_model(self) -> Any:
        """Return the model itself, as MLflow's flavor for its library takes it."""

    @abstractmethod
    def get_model_parameters(self) -> Any:
        """Return the parameters as a list of NumPy arrays, always in the same order."""

    @abstractmethod
    def set_model_parameters(self, parameters: Any) -> None:
        """Put ``parameters``, which look like those of ``get_model_parameters``, into the model."""

    @abstractmethod
    def fit_model(self) -> int:
        """Train on this learner's data for one round; return on how many samples."""

    @abstractmethod
    def evaluate_model(self) -> tuple[Any, Any, int]:
        """Test on this learner's data; return loss, accuracy, and the number of samples."""

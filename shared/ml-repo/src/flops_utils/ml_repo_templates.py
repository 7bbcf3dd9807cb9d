"""The two base classes of an ML repository: one for its data, one for its model.

Names and signatures are public: users' repositories inherit from them.
"""

from abc import ABC, abstractmethod
from typing import Any


class DataManagerTemplate(ABC):
    """The data of one learner, prepared for the model; ``DataManager`` in ``data_manager.py``."""

    @abstractmethod
    def _prepare_data(self) -> Any:
        """Load this learner's rows and prepare them for the model.

        The rows come from ``flops_utils.ml_repo_building_blocks.load_dataset``; split, scale and
        augment them here. Call this method once, in the constructor.
        """

    @abstractmethod
    def get_data(self) -> tuple[Any, Any]:
        """Return the prepared data as a pair.

        This is usually (training data, test data); only ``ModelManager`` uses it.
        """


class ModelManagerTemplate(ABC):
    """The model and its training; ``ModelManager`` in ``model_manager.py``.

    Aggregators create one as well, for the initial parameters and for logging the model. They
    have no data, so load the data in ``set_model_data`` and not in the constructor.
    """

    @abstractmethod
    def set_model_data(self) -> None:
        """Get the data from ``DataManager`` and store them; learners call it before round 1."""

    @abstractmethod
    def get_model(self) -> Any:
        """Return the model itself, as the MLflow flavor of its library expects it."""

    @abstractmethod
    def get_model_parameters(self) -> Any:
        """Return the parameters as a list of NumPy arrays, always in the same order."""

    @abstractmethod
    def set_model_parameters(self, parameters: Any) -> None:
        """Set the model's parameters to ``parameters``, shaped as in ``get_model_parameters``."""

    @abstractmethod
    def fit_model(self) -> int:
        """Train on this learner's data for one round; return the number of samples."""

    @abstractmethod
    def evaluate_model(self) -> tuple[Any, Any, int]:
        """Evaluate on this learner's data; return loss, accuracy, and the number of samples."""

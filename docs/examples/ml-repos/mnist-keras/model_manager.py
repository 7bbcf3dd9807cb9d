"""A convolutional network with batch normalisation on MNIST."""

from typing import Any

from data_manager import DataManager
from flops_utils.ml_repo_templates import ModelManagerTemplate
from network import make_network

BATCH_SIZE = 32


class ModelManager(ModelManagerTemplate):
    """Its parameters are the weights of all layers, the averages of BatchNorm included."""

    def __init__(self) -> None:
        self._model = make_network()

    def set_model_data(self) -> None:
        train, test = DataManager().get_data()
        self._train_images, self._train_labels = train
        self._test_images, self._test_labels = test

    def get_model(self) -> Any:
        return self._model

    def get_model_parameters(self) -> Any:
        return self._model.get_weights()

    def set_model_parameters(self, parameters: Any) -> None:
        self._model.set_weights(parameters)

    def fit_model(self) -> int:
        self._model.fit(
            self._train_images, self._train_labels, batch_size=BATCH_SIZE, epochs=1, verbose=0
        )
        return len(self._train_labels)

    def evaluate_model(self) -> tuple[float, float, int]:
        loss, accuracy = self._model.evaluate(self._test_images, self._test_labels, verbose=0)
        return float(loss), float(accuracy), len(self._test_labels)

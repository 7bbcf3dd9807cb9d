"""Logistic regression on MNIST: ten classes, 28 x 28 pixels."""

import warnings
from typing import Any

import numpy as np
from data_manager import DataManager
from flops_utils.ml_repo_templates import ModelManagerTemplate
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

PIXELS = 784
CLASSES = np.arange(10)


class ModelManager(ModelManagerTemplate):
    """A pipeline that takes raw pixels, so that callers of the served model need not scale."""

    def __init__(self) -> None:
        # Few steps a round: the next round goes on from the average of all learners.
        self._classifier = LogisticRegression(C=0.1, max_iter=10, warm_start=True)
        self._scaler = MinMaxScaler().fit([[0] * PIXELS, [255] * PIXELS])
        self._model = Pipeline([("scale", self._scaler), ("classify", self._classifier)])
        # The first parameters exist before any fit: the aggregator asks for them, without data.
        self._classifier.classes_ = CLASSES
        self.set_model_parameters([np.zeros((len(CLASSES), PIXELS)), np.zeros(len(CLASSES))])

    def set_model_data(self) -> None:
        train, test = DataManager().get_data()
        self._train_images, self._train_labels = train
        self._test_images, self._test_labels = test

    def get_model(self) -> Any:
        return self._model

    def get_model_parameters(self) -> Any:
        return [self._classifier.coef_, self._classifier.intercept_]

    def set_model_parameters(self, parameters: Any) -> None:
        self._classifier.coef_, self._classifier.intercept_ = parameters

    def fit_model(self) -> int:
        images, labels, weights = self._with_every_class()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._classifier.fit(self._scaler.transform(images), labels, sample_weight=weights)
        return len(self._train_labels)

    def evaluate_model(self) -> tuple[float, float, int]:
        probabilities = self._model.predict_proba(self._test_images)
        loss = log_loss(self._test_labels, probabilities, labels=CLASSES)
        accuracy = accuracy_score(self._test_labels, CLASSES[probabilities.argmax(axis=1)])
        return float(loss), float(accuracy), len(self._test_labels)

    def _with_every_class(self) -> tuple[Any, Any, Any]:
        """Add a blank image of next to no weight for each digit that this learner never saw.

        Otherwise its parameters would have another shape than those of the others.
        """
        missing = np.setdiff1d(CLASSES, self._train_labels)
        images = np.concatenate([self._train_images, np.zeros((len(missing), PIXELS))])
        labels = np.concatenate([self._train_labels, missing])
        weights = np.concatenate(
            [np.ones(len(self._train_labels)), np.full(len(missing), 1e-6)]
        )
        return images, labels, weights

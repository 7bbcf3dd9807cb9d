"""A logistic regression written against scikit-learn 1.4 and NumPy 1.26."""

from typing import Any

import numpy as np
from data_manager import DataManager
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from flops_utils.ml_repo_templates import ModelManagerTemplate


class ModelManager(ModelManagerTemplate):
    def __init__(self):
        self.model = LogisticRegression(penalty="l2", max_iter=1, warm_start=True)
        self.model.classes_ = np.arange(10)
        self.model.coef_ = np.zeros((10, 784))
        self.model.intercept_ = np.zeros((10,))

    def set_model_data(self) -> None:
        train, test = DataManager().get_data()
        self.x_train, self.y_train = train
        self.x_test, self.y_test = test

    def get_model(self) -> Any:
        return self.model

    def get_model_parameters(self) -> Any:
        return [self.model.coef_, self.model.intercept_]

    def set_model_parameters(self, parameters) -> None:
        self.model.coef_ = parameters[0]
        self.model.intercept_ = parameters[1]

    def fit_model(self) -> int:
        self.model.fit(self.x_train, self.y_train)
        return len(self.x_train)

    def evaluate_model(self) -> tuple[Any, Any, int]:
        loss = log_loss(self.y_test, self.model.predict_proba(self.x_test), labels=range(10))
        accuracy = self.model.score(self.x_test, self.y_test)
        return loss, accuracy, len(self.x_test)

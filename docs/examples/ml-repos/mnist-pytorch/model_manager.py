"""A convolutional network with batch normalisation on MNIST."""

from collections import OrderedDict
from typing import Any

import torch
from data_manager import DataManager
from flops_utils.ml_repo_templates import ModelManagerTemplate
from network import Network
from torch import nn


class ModelManager(ModelManagerTemplate):
    """Its parameters are everything in ``state_dict``, the counters of BatchNorm included."""

    def __init__(self) -> None:
        torch.manual_seed(7)
        self._model = Network()
        self._loss = nn.CrossEntropyLoss()

    def set_model_data(self) -> None:
        self._train, self._test = DataManager().get_data()

    def get_model(self) -> Any:
        return self._model.eval()

    def get_model_parameters(self) -> Any:
        return [val.cpu().numpy() for val in self._model.state_dict().values()]

    def set_model_parameters(self, parameters: Any) -> None:
        names = self._model.state_dict().keys()
        tensors = (torch.from_numpy(array) for array in parameters)
        self._model.load_state_dict(OrderedDict(zip(names, tensors, strict=True)), strict=True)

    def fit_model(self) -> int:
        # The optimizer is new in each round: its state belongs to parameters that are gone.
        optimizer = torch.optim.SGD(self._model.parameters(), lr=0.05, momentum=0.9)
        self._model.train()
        for images, labels in self._train:
            optimizer.zero_grad()
            self._loss(self._model(images), labels).backward()
            optimizer.step()
        return len(self._train.dataset)

    def evaluate_model(self) -> tuple[float, float, int]:
        self._model.eval()
        samples = len(self._test.dataset)
        loss, correct = 0.0, 0
        with torch.no_grad():
            for images, labels in self._test:
                scores = self._model(images)
                loss += self._loss(scores, labels).item() * len(labels)
                correct += int((scores.argmax(dim=1) == labels).sum())
        return loss / samples, correct / samples, samples

"""Rows of pixels with labels, the way repositories of this age load them."""

from typing import Any

from sklearn.model_selection import train_test_split

from flops_utils.ml_repo_building_blocks import load_dataset
from flops_utils.ml_repo_templates import DataManagerTemplate


class DataManager(DataManagerTemplate):
    def __init__(self):
        self.data = self._prepare_data()

    def _prepare_data(self) -> Any:
        dataset = load_dataset()
        dataset.set_format("numpy")
        x = dataset["image"].reshape((len(dataset), -1))
        y = dataset["label"]
        return train_test_split(x, y, test_size=0.2, random_state=1)

    def get_data(self) -> tuple[Any, Any]:
        x_train, x_test, y_train, y_test = self.data
        return (x_train, y_train), (x_test, y_test)

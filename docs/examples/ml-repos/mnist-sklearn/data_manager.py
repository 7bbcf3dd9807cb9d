"""The learner's handwritten digits, split into rows to train on and rows to test with."""

from typing import Any

from flops_utils.ml_repo_building_blocks import load_dataset
from flops_utils.ml_repo_templates import DataManagerTemplate
from sklearn.model_selection import train_test_split


class DataManager(DataManagerTemplate):
    """Images as rows of 784 pixels from 0 to 255, with their labels."""

    def __init__(self) -> None:
        self._data = self._prepare_data()

    def _prepare_data(self) -> Any:
        dataset = load_dataset()
        dataset.set_format("numpy")
        images = dataset["image"].reshape((len(dataset), -1))
        # A fixed seed keeps a learner's test rows out of its training in every round.
        return train_test_split(images, dataset["label"], test_size=0.2, random_state=7)

    def get_data(self) -> tuple[Any, Any]:
        train_images, test_images, train_labels, test_labels = self._data
        return (train_images, train_labels), (test_images, test_labels)

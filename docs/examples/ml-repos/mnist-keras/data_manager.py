"""The learner's handwritten digits, split into rows to train on and rows to test with."""

from typing import Any

import numpy as np
from flops_utils.ml_repo_building_blocks import load_dataset
from flops_utils.ml_repo_templates import DataManagerTemplate

TEST_PART = 0.2


class DataManager(DataManagerTemplate):
    """Rows of 784 pixels from 0 to 255, with their labels."""

    def __init__(self) -> None:
        self._data = self._prepare_data()

    def _prepare_data(self) -> Any:
        dataset = load_dataset()
        dataset.set_format("numpy")
        images = dataset["image"].reshape((len(dataset), -1)).astype("float32")
        labels = dataset["label"]
        # A fixed seed keeps a learner's test rows out of its training in every round.
        order = np.random.default_rng(7).permutation(len(labels))
        test, train = np.split(order, [max(1, int(len(order) * TEST_PART))])
        return (images[train], labels[train]), (images[test], labels[test])

    def get_data(self) -> tuple[Any, Any]:
        return self._data

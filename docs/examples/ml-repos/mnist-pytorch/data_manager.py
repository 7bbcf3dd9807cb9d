"""The learner's handwritten digits as tensors, split into rows to train on and rows to test with."""

from typing import Any

import torch
from flops_utils.ml_repo_building_blocks import load_dataset
from flops_utils.ml_repo_templates import DataManagerTemplate
from torch.utils.data import DataLoader, TensorDataset, random_split

BATCH_SIZE = 32
TEST_PART = 0.2


class DataManager(DataManagerTemplate):
    """Batches of rows of 784 pixels from 0 to 255, with their labels."""

    def __init__(self) -> None:
        self._train, self._test = self._prepare_data()

    def _prepare_data(self) -> Any:
        dataset = load_dataset()
        dataset.set_format("numpy")
        images = torch.tensor(dataset["image"].reshape((len(dataset), -1)), dtype=torch.float32)
        rows = TensorDataset(images, torch.tensor(dataset["label"], dtype=torch.int64))
        # A fixed seed keeps a learner's test rows out of its training in every round.
        return random_split(rows, [1 - TEST_PART, TEST_PART], torch.Generator().manual_seed(7))

    def get_data(self) -> tuple[Any, Any]:
        # A last batch of a single row would have no variance for BatchNorm to divide by.
        is_odd = len(self._train) % BATCH_SIZE == 1
        train = DataLoader(self._train, BATCH_SIZE, shuffle=True, drop_last=is_odd)
        return train, DataLoader(self._test, BATCH_SIZE)

"""Splits a dataset with the partitioners of Flower Datasets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flops_contracts.partitioners import PARTITIONERS
from flops_contracts.sla import Parametrised
from flops_mock_data_provider.errors import UnsplittableError

if TYPE_CHECKING:
    from datasets import Dataset

Numbers = np.ndarray[Any, np.dtype[np.float64]]

SEEDED: Final = frozenset(
    {
        "ContinuousPartitioner",
        "DirichletPartitioner",
        "DistributionPartitioner",
        "InnerDirichletPartitioner",
        "PathologicalPartitioner",
        "ShardPartitioner",
        "VerticalEvenPartitioner",
        "VerticalSizePartitioner",
    }
)
"""The partitioners that have a seed."""

SIZE_FUNCTIONS: Final[Mapping[str, Callable[[Numbers], Numbers]]] = {
    "constant": np.ones_like,
    "linear": lambda number: number,
    "square": np.square,
    "cube": lambda number: number**3,
    "root": np.sqrt,
    "exponential": np.exp,
}
"""The functions that ``flops_contracts.partitioners`` names."""


@dataclass(frozen=True)
class Partitions:
    """The number of partitions, and a function that loads each of them."""

    count: int
    load: Callable[[int], "Dataset"]

    def of_node(self, index: int, nodes: int) -> range:
        """Return the indices of a node's partitions: every n-th for n nodes."""
        return range(index, self.count, nodes)


def split(dataset: "Dataset", strategy: Parametrised, partitions: int, seed: int) -> Partitions:
    """Return the partitions; raise ``UnsplittableError``.

    The rows are shuffled first, because half of the partitioners keep their order: of data sorted
    by label, the first partition would have one label only. Equal seeds give equal partitions.
    """
    if PARTITIONERS[strategy.name].counts and dataset.num_rows < partitions:
        raise UnsplittableError(
            f"{dataset.num_rows} rows cannot make {partitions} partitions",
            hint="Lower number_of_partitions.",
        )
    seed %= 2**32
    try:
        partitioner = _partitioner(strategy, partitions, seed)
        partitioner.dataset = dataset.shuffle(seed=seed)
        count = partitioner.num_partitions
        # Loading the first partition does the work, and raises the errors.
        partitioner.load_partition(0)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnsplittableError(
            f"{strategy.name} cannot split these {dataset.num_rows} rows: {error}",
            hint=f"The columns are: {', '.join(dataset.column_names)}.",
        ) from error
    return Partitions(count, partitioner.load_partition)


def _partitioner(strategy: Parametrised, partitions: int, seed: int) -> Any:
    from flwr_datasets import partitioner as partitioners  # noqa: PLC0415 - seconds to import

    parameters = {key: _value(key, value) for key, value in strategy.parameters.items()}
    if PARTITIONERS[strategy.name].counts:
        parameters["num_partitions"] = partitions
    if strategy.name in SEEDED:
        parameters["seed"] = seed
    return getattr(partitioners, strategy.name)(**parameters)


def _value(key: str, value: Any) -> Any:
    """Convert a parameter that JSON cannot represent."""
    match key:
        case "distribution_array":
            return np.array(value)
        case "partition_id_to_size_fn":
            return SIZE_FUNCTIONS[value]
        case _:
            return value

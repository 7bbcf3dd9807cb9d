"""One dataset becomes several, as Flower Datasets' partitioners do it."""

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
"""The partitioners that draw by a seed of their own."""

SIZE_FUNCTIONS: Final[Mapping[str, Callable[[Numbers], Numbers]]] = {
    "constant": np.ones_like,
    "linear": lambda number: number,
    "square": np.square,
    "cube": lambda number: number**3,
    "root": np.sqrt,
    "exponential": np.exp,
}
"""What ``flops_contracts.partitioners`` has the names of."""


@dataclass(frozen=True)
class Partitions:
    """How many partitions there are, and how to get each of them."""

    count: int
    load: Callable[[int], "Dataset"]

    def of_node(self, index: int, nodes: int) -> range:
        """Return the numbers of the partitions of one of several nodes: each takes every n-th."""
        return range(index, self.count, nodes)


def split(dataset: "Dataset", wanted: Parametrised, partitions: int, seed: int) -> Partitions:
    """Return the partitions; raise ``UnsplittableError``.

    The rows are shuffled first: half of the partitioners keep their order, and on data sorted by
    label the first partition would hold one label only. Equal seeds give equal partitions.
    """
    if PARTITIONERS[wanted.name].counts and dataset.num_rows < partitions:
        raise UnsplittableError(
            f"{dataset.num_rows} rows cannot make {partitions} partitions",
            hint="Lower number_of_partitions.",
        )
    seed %= 2**32
    try:
        partitioner = _partitioner(wanted, partitions, seed)
        partitioner.dataset = dataset.shuffle(seed=seed)
        count = partitioner.num_partitions
        # The work is done, and what cannot be done is noticed, with the first one.
        partitioner.load_partition(0)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnsplittableError(
            f"{wanted.name} cannot split these {dataset.num_rows} rows: {error}",
            hint=f"The columns are: {', '.join(dataset.column_names)}.",
        ) from error
    return Partitions(count, partitioner.load_partition)


def _partitioner(wanted: Parametrised, partitions: int, seed: int) -> Any:
    from flwr_datasets import partitioner as offered  # noqa: PLC0415 - seconds to import

    parameters = {key: _value(key, value) for key, value in wanted.parameters.items()}
    if PARTITIONERS[wanted.name].counts:
        parameters["num_partitions"] = partitions
    if wanted.name in SEEDED:
        parameters["seed"] = seed
    return getattr(offered, wanted.name)(**parameters)


def _value(key: str, value: Any) -> Any:
    """Return a parameter as Python has it, where JSON has no such thing."""
    match key:
        case "distribution_array":
            return np.array(value)
        case "partition_id_to_size_fn":
            return SIZE_FUNCTIONS[value]
        case _:
            return value

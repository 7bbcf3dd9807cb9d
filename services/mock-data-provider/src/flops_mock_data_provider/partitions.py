"""One dataset becomes several, as Flower Datasets' partitioners do it."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flops_contracts.sla import Parametrised
from flops_mock_data_provider.errors import UnsplittableError

if TYPE_CHECKING:
    from datasets import Dataset


def split(
    dataset: "Dataset", wanted: Parametrised, partitions: int, seed: int
) -> tuple[int, Iterator["Dataset"]]:
    """Return how many partitions there are, and each of them; raise ``UnsplittableError``.

    The rows are shuffled first: half of the partitioners keep their order, and on data sorted by
    label the first partition would hold one label only. Equal seeds give equal partitions.
    """
    if dataset.num_rows < partitions:
        raise UnsplittableError(
            f"{dataset.num_rows} rows cannot make {partitions} partitions",
            hint="Lower number_of_partitions.",
        )
    seed %= 2**32
    partitioner = _partitioner(wanted, partitions, seed)
    try:
        partitioner.dataset = dataset.shuffle(seed=seed)
        count = partitioner.num_partitions
        first = partitioner.load_partition(0)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnsplittableError(
            f"{wanted.name} cannot split these {dataset.num_rows} rows: {error}",
            hint=f"The columns are: {', '.join(dataset.column_names)}.",
        ) from error
    return count, _each(partitioner, count, first)


def _each(partitioner: Any, count: int, first: "Dataset") -> Iterator["Dataset"]:
    yield first
    for number in range(1, count):
        yield partitioner.load_partition(number)


def _partitioner(wanted: Parametrised, partitions: int, seed: int) -> Any:
    from flwr_datasets import partitioner as offered  # noqa: PLC0415 - seconds to import

    names = [name for name in offered.__all__ if name != "Partitioner"]
    if wanted.name not in names:
        raise UnsplittableError(
            f"there is no partitioner '{wanted.name}'", hint=f"There are: {', '.join(names)}."
        )
    kind = getattr(offered, wanted.name)
    takes = inspect.signature(kind).parameters
    filled = {"num_partitions": partitions, "seed": seed}
    parameters = {name: value for name, value in filled.items() if name in takes}
    try:
        return kind(**{**parameters, **wanted.parameters})
    except (TypeError, ValueError) as error:
        raise UnsplittableError(
            f"{wanted.name}: {error}", hint=f"It takes: {', '.join(takes) or 'nothing'}."
        ) from error

"""The partitioners of Flower Datasets, and what each takes: checked before anything is deployed.

``number_of_partitions`` and ``seed`` of the SLA fill a partitioner's own ``num_partitions`` and
``seed``, so these two are not parameters here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from numbers import Real
from typing import Any, Final


@dataclass(frozen=True)
class Kind:
    """The valid values of a parameter: in words, and as a test."""

    words: str
    admits: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_list(value: Any, admits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and bool(value) and all(map(admits, value))


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 1


def _one_of(*names: str) -> Kind:
    return Kind(f"one of {', '.join(names)}", lambda value: value in names)


COLUMN: Final = Kind("the name of a column", _is_text)
COLUMNS: Final = Kind(
    "the name of a column, or a list of them", lambda v: _is_text(v) or _is_list(v, _is_text)
)
COUNT: Final = Kind("a whole number, at least 1", _is_count)
FROM_ZERO: Final = Kind("a whole number, at least 0", lambda v: _is_whole(v) and v >= 0)
FLAG: Final = Kind("true or false", lambda v: isinstance(v, bool))
PART: Final = Kind("a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1)
ALPHA: Final = Kind(
    "a number greater than 0, or a list of them",
    lambda v: _is_positive(v) or _is_list(v, _is_positive),
)
SIZES: Final = Kind("a list of whole numbers, at least 1 each", lambda v: _is_list(v, _is_count))
SIZES_OR_PARTS: Final = Kind(
    "a list of numbers greater than 0", lambda v: _is_list(v, _is_positive)
)
MATRIX: Final = Kind(
    "a list of lists of numbers, all of one length",
    lambda v: _is_list(v, lambda row: _is_list(row, _is_number)) and len(set(map(len, v))) == 1,
)
SIZE_FUNCTIONS: Final = ("constant", "linear", "square", "cube", "root", "exponential")
"""By what a partition's number, from 1, says its size; Flower takes a function of Python."""

_PARTY_MODES: Final = ("add_to_first", "add_to_last", "create_as_first", "create_as_last")
PARTY_MODE: Final = Kind(
    f"one of {', '.join((*_PARTY_MODES, 'add_to_all'))}, or the number of a partition",
    lambda v: v in {*_PARTY_MODES, "add_to_all"} if isinstance(v, str) else _is_whole(v),
)
_PARTIES: Final = {
    "active_party_columns": COLUMNS,
    "active_party_columns_mode": PARTY_MODE,
    "drop_columns": COLUMNS,
    "shared_columns": COLUMNS,
    "shuffle": FLAG,
}


@dataclass(frozen=True)
class Partitioner:
    """The required and optional parameters of a partitioner.

    ``needs_one_of`` are optional ones that cannot all be missing. ``counts`` says that it makes
    as many partitions as ``number_of_partitions`` says; the others find out from the data or
    their parameters.
    """

    required: Mapping[str, Kind] = field(default_factory=dict)
    optional: Mapping[str, Kind] = field(default_factory=dict)
    needs_one_of: tuple[str, ...] = ()
    counts: bool = True

    @property
    def takes(self) -> Mapping[str, Kind]:
        """Every parameter."""
        return {**self.required, **self.optional}


PARTITIONERS: Final[Mapping[str, Partitioner]] = {
    "ContinuousPartitioner": Partitioner(
        {"partition_by": COLUMN, "strictness": PART}, {"shuffle": FLAG}
    ),
    "DirichletPartitioner": Partitioner(
        {"partition_by": COLUMN, "alpha": ALPHA},
        {"min_partition_size": FROM_ZERO, "self_balancing": FLAG, "shuffle": FLAG},
    ),
    "DistributionPartitioner": Partitioner(
        {
            "distribution_array": MATRIX,
            "num_unique_labels_per_partition": COUNT,
            "partition_by": COLUMN,
            "preassigned_num_samples_per_label": FROM_ZERO,
        },
        {"rescale": FLAG, "shuffle": FLAG},
    ),
    "ExponentialPartitioner": Partitioner(),
    "GroupedNaturalIdPartitioner": Partitioner(
        {"partition_by": COLUMN, "group_size": COUNT},
        {
            "mode": _one_of("allow-smaller", "allow-bigger", "drop-reminder", "strict"),
            "sort_unique_ids": FLAG,
        },
        counts=False,
    ),
    "IdToSizeFncPartitioner": Partitioner({"partition_id_to_size_fn": _one_of(*SIZE_FUNCTIONS)}),
    "IidPartitioner": Partitioner(),
    "InnerDirichletPartitioner": Partitioner(
        {"partition_sizes": SIZES, "partition_by": COLUMN, "alpha": ALPHA},
        {"shuffle": FLAG},
        counts=False,
    ),
    "LinearPartitioner": Partitioner(),
    "NaturalIdPartitioner": Partitioner({"partition_by": COLUMN}, counts=False),
    "PathologicalPartitioner": Partitioner(
        {"partition_by": COLUMN, "num_classes_per_partition": COUNT},
        {
            "class_assignment_mode": _one_of("random", "deterministic", "first-deterministic"),
            "shuffle": FLAG,
        },
    ),
    "ShardPartitioner": Partitioner(
        {"partition_by": COLUMN},
        {
            "num_shards_per_partition": COUNT,
            "shard_size": COUNT,
            "keep_incomplete_shard": FLAG,
            "shuffle": FLAG,
        },
        needs_one_of=("num_shards_per_partition", "shard_size"),
    ),
    "SizePartitioner": Partitioner({"partition_sizes": SIZES}, counts=False),
    "SquarePartitioner": Partitioner(),
    "VerticalEvenPartitioner": Partitioner({}, _PARTIES),
    "VerticalSizePartitioner": Partitioner(
        {"partition_sizes": SIZES_OR_PARTS}, _PARTIES, counts=False
    ),
}
"""By the names of their classes in ``flwr_datasets.partitioner``."""


def partitioner_problem(name: str) -> str:
    """Return why there is no such partitioner; empty if there is one."""
    if name in PARTITIONERS:
        return ""
    # Without what all of them end with, which would make every name look like every other.
    names = {
        partitioner.lower().removesuffix("partitioner"): partitioner for partitioner in PARTITIONERS
    }
    near = get_close_matches(name.lower().removesuffix("partitioner"), names, n=1)
    if near:
        return f"There is no partitioner '{name}'. Did you mean '{names[near[0]]}'?"
    return f"There is no partitioner '{name}'. There are: {', '.join(PARTITIONERS)}."


def parameter_problems(name: str, parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with the parameters of a known partitioner, by parameter."""
    partitioner = PARTITIONERS[name]
    takes = partitioner.takes
    missing = [item for item in partitioner.required if item not in parameters]
    problems = {item: [f"{name} needs it: {takes[item].words}."] for item in missing}
    needed = partitioner.needs_one_of
    if needed and not set(needed) & set(parameters):
        problems[needed[0]] = [f"{name} needs {' or '.join(needed)}."]
    for key, value in parameters.items():
        if key not in takes:
            problems[key] = [_foreign(name, key, takes)]
        elif not takes[key].admits(value):
            problems[key] = [f"Must be {takes[key].words}."]
    return problems


def _foreign(name: str, key: str, takes: Mapping[str, Kind]) -> str:
    if key in {"num_partitions", "seed"}:
        instead = "number_of_partitions" if key == "num_partitions" else "seed"
        return f"The mock's own key {instead} says it."
    return f"{name} takes {', '.join(takes) or 'no parameters'}."

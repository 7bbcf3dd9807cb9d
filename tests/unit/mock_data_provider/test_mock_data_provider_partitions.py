import inspect

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from flwr_datasets import partitioner as flower

from flops_contracts.partitioners import PARTITIONERS
from flops_contracts.partitioners import SIZE_FUNCTIONS as NAMES_OF_SIZE_FUNCTIONS
from flops_contracts.sla import Parametrised
from flops_mock_data_provider.errors import UnsplittableError
from flops_mock_data_provider.partitions import SEEDED, SIZE_FUNCTIONS, split

ROWS = 200
DATASET = Dataset.from_dict(
    {
        "row": list(range(ROWS)),
        "label": [row * 10 // ROWS for row in range(ROWS)],
        "device": [f"d{row % 7}" for row in range(ROWS)],
    },
    features=Features(
        {
            "row": Value("int64"),
            "label": ClassLabel(names=[str(n) for n in range(10)]),
            "device": Value("string"),
        }
    ),
)
BY_LABEL = {"partition_by": "label"}
EXAMPLES = {
    "ContinuousPartitioner": {"partition_by": "row", "strictness": 0.7},
    "DirichletPartitioner": {**BY_LABEL, "alpha": 0.5},
    "DistributionPartitioner": {
        **BY_LABEL,
        "distribution_array": [[0.7, 0.3]] * 10,
        "num_unique_labels_per_partition": 2,
        "preassigned_num_samples_per_label": 1,
    },
    "ExponentialPartitioner": {},
    "GroupedNaturalIdPartitioner": {"partition_by": "device", "group_size": 3},
    "IdToSizeFncPartitioner": {"partition_id_to_size_fn": "root"},
    "IidPartitioner": {},
    "InnerDirichletPartitioner": {**BY_LABEL, "partition_sizes": [100, 60, 40], "alpha": 0.5},
    "LinearPartitioner": {},
    "NaturalIdPartitioner": {"partition_by": "device"},
    "PathologicalPartitioner": {
        **BY_LABEL,
        "num_classes_per_partition": 4,
        "class_assignment_mode": "deterministic",
    },
    "ShardPartitioner": {**BY_LABEL, "num_shards_per_partition": 2},
    "SizePartitioner": {"partition_sizes": [100, 60, 40]},
    "SquarePartitioner": {},
    "VerticalEvenPartitioner": {"shared_columns": "row"},
    "VerticalSizePartitioner": {"partition_sizes": [1, 1], "shared_columns": "row"},
}
MULTIPLE_OF_LABELS = {"DistributionPartitioner": 10}
HORIZONTAL = sorted(name for name in EXAMPLES if not name.startswith("Vertical"))


def split_by(name, seed=42, partitions=3, **parameters):
    partitions = MULTIPLE_OF_LABELS.get(name, partitions)
    return split(DATASET, Parametrised(name, parameters), partitions, seed)


def rows_of(name, seed=42, partitions=3, **parameters):
    parts = split_by(name, seed, partitions, **parameters)
    return [list(parts.load(number)["row"]) for number in range(parts.count)]


def test_every_partitioner_of_flower_is_offered():
    assert sorted(PARTITIONERS) == sorted(set(flower.__all__) - {"Partitioner"})
    assert sorted(EXAMPLES) == sorted(PARTITIONERS)


@pytest.mark.parametrize("name", sorted(PARTITIONERS))
def test_each_takes_what_flowers_class_takes(name):
    offered = PARTITIONERS[name]
    takes = inspect.signature(getattr(flower, name)).parameters
    filled = {
        **({"num_partitions": 0} if offered.counts else {}),
        **({"seed": 0} if name in SEEDED else {}),
    }
    demanded = {key for key, value in takes.items() if value.default is inspect.Parameter.empty}

    assert {*offered.takes, *filled} == set(takes)
    assert {*offered.required} == demanded - set(filled)


def test_every_named_function_of_sizes_is_there():
    assert tuple(SIZE_FUNCTIONS) == NAMES_OF_SIZE_FUNCTIONS


@pytest.mark.parametrize("name", HORIZONTAL)
def test_partitions_share_no_row(name):
    rows = [row for part in rows_of(name, **EXAMPLES[name]) for row in part]

    assert len(rows) == len(set(rows)) > 0


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_equal_seeds_give_equal_partitions_and_others_give_others(name):
    first = rows_of(name, seed=1, **EXAMPLES[name])

    assert rows_of(name, seed=1, **EXAMPLES[name]) == first
    assert rows_of(name, seed=2, **EXAMPLES[name]) != first


@pytest.mark.parametrize("name", ["VerticalEvenPartitioner", "VerticalSizePartitioner"])
def test_vertical_partitions_have_all_rows_and_different_columns(name):
    parts = split_by(name, partitions=2, **EXAMPLES[name])

    columns = [set(parts.load(number).column_names) for number in range(parts.count)]

    assert [parts.load(number).num_rows for number in range(parts.count)] == [ROWS, ROWS]
    assert columns[0] & columns[1] == {"row"}
    assert columns[0] | columns[1] == {"row", "label", "device"}


def test_sizes_follow_a_named_function():
    sizes = [
        len(rows) for rows in rows_of("IdToSizeFncPartitioner", partition_id_to_size_fn="linear")
    ]

    assert sizes == [33, 66, 101]


def test_sorted_rows_are_shuffled_first():
    parts = split_by("IidPartitioner")

    assert len(set(parts.load(0)["label"])) > 5


def test_a_partitioner_may_say_itself_how_many_there_are():
    assert split_by("NaturalIdPartitioner", partition_by="device").count == 7


def test_negative_seeds_are_seeds():
    assert rows_of("IidPartitioner", seed=-1) == rows_of("IidPartitioner", seed=-1)


def test_several_nodes_take_turns_and_together_everything():
    parts = split_by("IidPartitioner", partitions=5)

    assert [list(parts.of_node(index, 2)) for index in range(2)] == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize(
    ("name", "parameters", "columns"),
    [
        ("DirichletPartitioner", {"partition_by": "colour", "alpha": 1}, "row, label, device"),
        ("PathologicalPartitioner", {**BY_LABEL, "num_classes_per_partition": 11}, "row, label"),
    ],
)
def test_what_cannot_be_split_is_refused_with_what_can(name, parameters, columns):
    with pytest.raises(UnsplittableError) as refused:
        rows_of(name, **parameters)

    assert columns in refused.value.hint


def test_more_partitions_than_rows_are_refused():
    with pytest.raises(UnsplittableError, match="200 rows cannot make 201 partitions"):
        rows_of("IidPartitioner", partitions=201)

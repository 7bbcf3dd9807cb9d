import pytest
from datasets import ClassLabel, Dataset, Features, Value

from flops_contracts.sla import Parametrised
from flops_mock_data_provider.errors import UnsplittableError
from flops_mock_data_provider.partitions import split

ROWS = 200
DATASET = Dataset.from_dict(
    {"row": list(range(ROWS)), "label": [row * 10 // ROWS for row in range(ROWS)]},
    features=Features(
        {"row": Value("int64"), "label": ClassLabel(names=[str(n) for n in range(10)])}
    ),
)


def rows_of(name, seed=42, partitions=3, **parameters):
    _, parts = split(DATASET, Parametrised(name, parameters), partitions, seed)
    return [list(part["row"]) for part in parts]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("IidPartitioner", {}),
        ("LinearPartitioner", {}),
        ("SquarePartitioner", {}),
        ("SizePartitioner", {"partition_sizes": [100, 60, 40]}),
        ("DirichletPartitioner", {"partition_by": "label", "alpha": 0.5}),
        (
            "PathologicalPartitioner",
            {
                "partition_by": "label",
                "num_classes_per_partition": 4,
                "class_assignment_mode": "deterministic",
            },
        ),
        ("ShardPartitioner", {"partition_by": "label", "num_shards_per_partition": 2}),
    ],
)
def test_partitions_share_no_row(name, parameters):
    rows = [row for part in rows_of(name, **parameters) for row in part]

    assert len(rows) == len(set(rows)) > 0


def test_equal_seeds_give_equal_partitions():
    assert rows_of("IidPartitioner", seed=1) == rows_of("IidPartitioner", seed=1)
    assert rows_of("IidPartitioner", seed=1) != rows_of("IidPartitioner", seed=2)


def test_sorted_rows_are_shuffled_first():
    _, parts = split(DATASET, Parametrised("IidPartitioner"), 3, 42)

    assert len(set(next(parts)["label"])) > 5


def test_a_partitioner_may_say_itself_how_many_there_are():
    count, _ = split(
        DATASET, Parametrised("NaturalIdPartitioner", {"partition_by": "label"}), 3, 42
    )

    assert count == 10


def test_negative_seeds_are_seeds():
    assert rows_of("IidPartitioner", seed=-1) == rows_of("IidPartitioner", seed=-1)


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("RandomPartitioner", {}, "IidPartitioner"),
        ("ShardPartitioner", {"sharts": 3}, "num_shards_per_partition"),
        ("DirichletPartitioner", {"partition_by": "colour", "alpha": 1}, "row, label"),
    ],
)
def test_what_cannot_be_split_is_refused_with_what_can(name, parameters, told):
    with pytest.raises(UnsplittableError) as refused:
        rows_of(name, **parameters)

    assert told in refused.value.hint


def test_more_partitions_than_rows_are_refused():
    with pytest.raises(UnsplittableError, match="200 rows cannot make 201 partitions"):
        rows_of("IidPartitioner", partitions=201)

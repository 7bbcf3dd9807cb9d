"""The meaning of columns beyond their types, and the types that learners can load."""

import datetime as dt
import decimal
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flops_flight.columns import SHOWN_CLASSES, classes_of, described, difference, unloadable
from flops_utils.learner_dataset import learner_dataset

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LOADABLE = {
    "whole numbers": pa.array([1, 2]),
    "numbers": pa.array([1.5, 2.5], pa.float32()),
    "truths": pa.array([True, False]),
    "texts": pa.array(["a", "b"]),
    "large texts": pa.array(["a", "b"], pa.large_string()),
    "views of texts": pa.array(["a", "b"], pa.string_view()),
    "bytes": pa.array([b"a", b"b"]),
    "moments": pa.array([DAY] * 2),
    "days": pa.array([DAY.date()] * 2),
    "times": pa.array([dt.time(1)] * 2),
    "durations": pa.array([dt.timedelta(1)] * 2),
    "decimals": pa.array([decimal.Decimal("1.5")] * 2),
    "lists": pa.array([[1], [2]]),
    "large lists": pa.array([[1], [2]], pa.large_list(pa.int64())),
    "lists of one length": pa.array([[1, 2], [2, 3]], pa.list_(pa.int64(), 2)),
    "structs": pa.array([{"a": 1}] * 2),
    "dictionaries": pa.array(["a", "b"]).dictionary_encode(),
    "nothing": pa.nulls(2),
    "JSON": pa.array(['{"a": 1}'] * 2, pa.json_()),
}
NOT_LOADABLE = {
    "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((2, 2, 2))),
    "UUIDs": pa.array([b"0" * 16] * 2, pa.uuid()),
    "maps": pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int64())),
    "maps in structs": pa.array(
        [{"m": [("a", 1)]}] * 2, pa.struct([("m", pa.map_(pa.string(), pa.int64()))])
    ),
    "unions": pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()),
        pa.array([0, 0], pa.int32()),
        [pa.array([1]), pa.array(["x"])],
    ),
    "bytes of one length": pa.array([b"ab", b"cd"], pa.binary(2)),
    "views of lists": pa.array([[1], [2]], pa.list_view(pa.int64())),
    "runs": pa.RunEndEncodedArray.from_arrays([2], ["a"]),
    "intervals": pa.array([pa.MonthDayNano([1, 2, 3])] * 2),
    "truths as bytes": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())),
}


def stored(table):
    """Return a table as it comes back from a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("array", LOADABLE.values(), ids=LOADABLE)
def test_what_is_accepted_can_be_loaded_with_its_values(array):
    table = pa.table({"x": array})

    assert list(unloadable(table.schema)) == []
    dataset = learner_dataset(stored(table), "0")
    assert len(dataset["x"]) == 2
    if not isinstance(array, pa.ExtensionArray):
        assert list(dataset["x"]) == array.to_pylist()


@pytest.mark.parametrize("array", NOT_LOADABLE.values(), ids=NOT_LOADABLE)
def test_what_is_refused_cannot_be_loaded(array):
    table = pa.table({"good": [1, 2], "x": array})

    assert [field.name for field in unloadable(table.schema)] == ["x"]
    with pytest.raises(ValueError, match="does not have a datasets dtype"):
        learner_dataset(table, "0")


def test_an_extension_that_nobody_knows_is_what_it_is_stored_as():
    spectrum = pa.field("x", pa.int64(), metadata={"ARROW:extension:name": "lab.spectrum"})
    opaque = pa.field("y", pa.int64(), metadata={"ARROW:extension:name": "arrow.opaque"})

    assert list(unloadable(pa.schema([spectrum, opaque]))) == [opaque]


def labelled(names, column="label", **facts):
    """Return a schema with a column of labels, as ``datasets`` describes them."""
    features = {column: {"names": names, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([pa.field(column, pa.int64(), metadata=facts or None)], metadata=metadata)


BOTH = labelled(["broken", "good"])
NAMES = ("the first", "the second")


def test_classes_are_part_of_the_description():
    assert classes_of(BOTH) == {"label": ("broken", "good")}
    assert described(BOTH) == {"label": "int64 (classes broken, good)"}


def test_long_lists_are_told_apart_though_they_begin_alike():
    names = [f"class{number}" for number in range(SHOWN_CLASSES + 10)]
    first, second = labelled(names), labelled([*names[:-1], "another"])

    assert "30 in all" in described(first)["label"]
    assert len(described(first)["label"]) < 400
    assert difference(first, second, NAMES)


@pytest.mark.parametrize("names", [["good"], ["good", "broken"], ["broken", "good", "odd"]])
def test_other_classes_are_a_difference_with_both_lists(names):
    unlike = difference(BOTH, labelled(names), NAMES)

    assert unlike == (
        "'label' is int64 (classes broken, good) in the first, but "
        f"int64 (classes {', '.join(names)}) in the second"
    )


def test_other_units_are_a_difference_and_other_metadata_are_not():
    celsius = pa.schema([pa.field("t", pa.float64(), metadata={"unit": "°C", "note": "a"})])
    kelvin = pa.schema([pa.field("t", pa.float64(), metadata={"unit": "K", "note": "a"})])
    noted = pa.schema([pa.field("t", pa.float64(), metadata={"unit": "°C", "note": "b"})])

    assert difference(celsius, kelvin, NAMES) == (
        "'t' is double (unit °C) in the first, but double (unit K) in the second"
    )
    assert difference(celsius, noted, NAMES) == ""


def test_missing_columns_and_other_orders_are_differences():
    narrow = pa.schema([("a", pa.int64())])
    two = pa.schema([("a", pa.int64()), ("b", pa.int64())])

    assert difference(narrow, two, NAMES) == "'b' is a column of the second, but not of the first"
    assert "different orders" in difference(two, pa.schema([two.field(1), two.field(0)]), NAMES)
    assert difference(two, two, NAMES) == ""


@pytest.mark.parametrize(
    "metadata",
    [b"{", b"[]", b'{"info": {"features": []}}', b'{"info": {"features": {"label": 1}}}'],
)
def test_metadata_that_say_nothing_are_not_read(metadata):
    schema = pa.schema([("label", pa.int64())], metadata={"huggingface": metadata})

    assert described(schema) == {"label": "int64"}

import re

from flops_contracts.events import Fragment
from flops_manager.entrypoints.api.pictures import MAX_LABELS, MAX_PARTITIONS, draw_labels


def a_fragment(number=0, **labels):
    return Fragment(f"mnist.{number}.parquet", 30, 9, labels, number, "munich/node1")


def texts_of(picture):
    return re.findall(r"<text[^>]*>([^<]+)</text>", picture.decode())


def test_labels_are_in_the_order_of_numbers():
    texts = texts_of(draw_labels("mnist", [a_fragment(**{"10": 1, "9": 1, "cat": 1})]))

    assert [text for text in texts if text in {"9", "10", "cat"}] == ["cat", "9", "10"]


def test_rare_labels_are_shown_as_one():
    counts = {f"label{number}": 100 - number for number in range(MAX_LABELS + 5)}

    texts = texts_of(draw_labels("mnist", [a_fragment(**counts)]))

    assert sum(text.startswith("label") for text in texts) == MAX_LABELS - 1
    assert "others" in texts


def test_partitions_that_find_no_room_are_counted():
    many = [a_fragment(number, a=1) for number in range(MAX_PARTITIONS + 7)]

    assert "mnist (7 more are not shown)" in texts_of(draw_labels("mnist", many))


def test_data_without_labels_are_bars_of_rows():
    assert "rows" in texts_of(draw_labels("mnist", [a_fragment()]))


def test_nothing_provided_yet_is_a_picture_as_well():
    assert "No data yet" in texts_of(draw_labels("mnist", []))

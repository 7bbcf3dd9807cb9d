"""Columns at once hold what ``datasets`` itself makes of them, bit for bit."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset, Features, Image
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from flops_utils import columns, png
from flops_utils.learner_dataset import learner_dataset

FEATURES = Features({"image": Image()})


def pictures_of(encoded):
    kind = FEATURES.arrow_schema.field("image").type
    cells = pa.array([{"bytes": file, "path": None} for file in encoded], kind)
    return pa.table([cells], schema=FEATURES.arrow_schema)


def saved(picture, **options):
    buffer = io.BytesIO()
    picture.save(buffer, options.pop("format", "PNG"), **options)
    return buffer.getvalue()


def ours_and_theirs(table, column):
    ours = learner_dataset(table, "0123").with_format("numpy")[column]
    theirs = Dataset(table).with_format("numpy")._getitem(column)
    return ours, theirs


def assert_same(ours, theirs):
    assert (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)
    assert all(np.array_equal(*pair) for pair in zip(ours, theirs, strict=True))


@st.composite
def pictures(draw):
    """Pictures of any mode and size, most of them of one kind, with flat and noisy parts."""
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    mode = draw(st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]))
    size = draw(st.tuples(st.integers(1, 56), st.integers(1, 56)))
    noise = Pillow.fromarray(random.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8))
    smooth = Pillow.linear_gradient("L").resize(size)
    made = draw(st.lists(st.sampled_from([noise, smooth]), min_size=1, max_size=5))
    encoded = [saved(picture.convert("L").convert(mode)) for picture in made]
    if draw(st.booleans()):
        encoded.append(saved(noise.convert("RGB"), format=draw(st.sampled_from(["PNG", "JPEG"]))))
    return encoded


@settings(max_examples=50, deadline=None)
@given(pictures())
def test_pictures_of_any_mode_and_size_have_the_same_values(encoded):
    assert_same(*ours_and_theirs(pictures_of(encoded), "image"))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def a_png(width, height, colour, lines, bits=8):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(lines)
    parts = chunk(b"IDAT", body[: len(body) // 2]) + chunk(b"IDAT", body[len(body) // 2 :])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + parts + chunk(b"IEND", b"")


@settings(deadline=None)
@given(
    width=st.integers(1, 20),
    height=st.integers(1, 20),
    colour=st.sampled_from([(0, 1), (2, 3), (4, 2), (6, 4)]),
    count=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_every_filter_in_every_line_is_undone(width, height, colour, count, seed):
    random = np.random.default_rng(seed)
    lines = random.integers(0, 256, (count, height, 1 + width * colour[1]), dtype=np.uint8)
    lines[:, :, 0] %= 5
    encoded = [a_png(width, height, colour[0], picture.tobytes()) for picture in lines]

    assert png.decode_all(encoded) is not None
    assert_same(*ours_and_theirs(pictures_of(encoded), "image"))


GOOD = a_png(4, 2, 0, bytes(10))


@settings(deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255), cut=st.booleans())
@example(at=len(GOOD) - 1, value=0, cut=True)
def test_a_damaged_picture_is_taken_or_refused_as_by_pillow(at, value, cut):
    damaged = GOOD[:at] if cut else GOOD[:at] + bytes([value]) + GOOD[at + 1 :]

    def outcome(dataset):
        try:
            return np.asarray(dataset.with_format("numpy")[:]["image"]).tolist()
        except Exception as error:  # noqa: BLE001 - whatever Pillow raises
            return type(error)

    def at_once(dataset):
        try:
            return np.asarray(dataset.with_format("numpy")["image"]).tolist()
        except Exception as error:  # noqa: BLE001 - whatever Pillow raises
            return type(error)

    table = pictures_of([damaged])
    assert at_once(learner_dataset(table, "0123")) == outcome(Dataset(table))


def test_a_picture_that_inflates_without_end_is_not_inflated():
    bomb = a_png(4, 2, 0, bytes(50_000_000))

    assert png.decode_all([bomb]) is None


def test_pictures_turned_by_their_camera_are_turned():
    turned = Pillow.Exif()
    turned[0x0112] = 6
    picture = Pillow.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))

    ours, theirs = ours_and_theirs(pictures_of([saved(picture, exif=turned)]), "image")

    assert_same(ours, theirs)
    assert ours.shape == (1, 6, 4)


NUMBERS = [
    *((kind, st.integers(0, 100)) for kind in (pa.int64(), pa.uint8(), pa.int16(), pa.uint64())),
    *((kind, st.floats(width=32)) for kind in (pa.float32(), pa.float64())),
    (pa.float16(), st.floats(width=16)),
    (pa.bool_(), st.booleans()),
]


@st.composite
def number_columns(draw):
    """Numbers and lists of them: mostly without gaps and of one length, in several chunks."""
    kind, values = draw(st.sampled_from(NUMBERS))
    depth = draw(st.integers(0, 2))
    is_regular = draw(st.booleans()) or draw(st.booleans())
    values = values if is_regular else st.none() | values
    for _ in range(depth):
        size = draw(st.integers(1, 3))
        of_any_size = st.lists(values, min_size=0 if not is_regular else size, max_size=size)
        values = of_any_size
        is_fixed = is_regular and draw(st.booleans())
        kind = pa.list_(kind, size) if is_fixed else pa.list_(kind)
    rows = draw(st.lists(values, min_size=1, max_size=8))
    cut = draw(st.integers(0, len(rows)))
    column = pa.chunked_array([rows[:cut], rows[cut:]], kind)
    return pa.table({"x": column})


@settings(deadline=None)
@given(number_columns())
def test_numbers_are_those_of_datasets(table):
    ours, theirs = ours_and_theirs(table, "x")

    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert repr(ours.tolist()) == repr(theirs.tolist())  # NaN is not equal to itself


def test_an_array_may_be_written_to():
    table = pa.table({"x": pa.array([[1.0, 2.0]], pa.list_(pa.float32()))})

    array = learner_dataset(table, "0123").with_format("numpy")["x"]
    array /= 2

    assert array.tolist() == [[0.5, 1.0]]


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_a_dtype_that_was_asked_for_is_given(dtype):
    table = pa.table({"x": pa.array([[1, 2]], pa.list_(pa.int64()))})

    assert learner_dataset(table, "0").with_format("numpy", dtype=dtype)["x"].dtype == dtype


def test_lists_of_one_length_are_taken_whole():
    column = pa.chunked_array([[[1, 2], [3, 4]], [[5, 6]]], pa.list_(pa.int32()))

    assert columns.numbers(column, {}).tolist() == [[1, 2], [3, 4], [5, 6]]

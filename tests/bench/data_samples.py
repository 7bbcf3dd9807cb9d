"""The tables of the data plane's bench: vectors as sensors make them, pictures like MNIST's."""

import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Features, Image, List, Value
from PIL import Image as Pillow

WIDTH = 256
SIDE = 28


def vectors(rows: int) -> pa.Table:
    """Return ``rows`` lists of 256 float32 and a label each."""
    random = np.random.default_rng(1)
    values = pa.array(random.standard_normal(rows * WIDTH, dtype=np.float32))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * WIDTH)
    features = Features({"x": List(Value("float32")), "label": Value("int64")})
    columns = [pa.ListArray.from_arrays(offsets, values), random.integers(0, 10, rows)]
    return pa.table(columns, names=["x", "label"]).cast(features.arrow_schema)


def pictures(rows: int) -> pa.Table:
    """Return ``rows`` grey pictures of 28 x 28 as PNG, about as many bytes as MNIST's."""
    random = np.random.default_rng(2)
    distinct = [_png(_digit(random)) for _ in range(min(rows, 5000))]
    features = Features({"image": Image(), "label": ClassLabel(num_classes=10)})
    schema = features.arrow_schema
    cells = [{"bytes": distinct[row % len(distinct)], "path": None} for row in range(rows)]
    columns = [pa.array(cells, schema.field("image").type), random.integers(0, 10, rows)]
    return pa.table(columns, schema=schema)


def _digit(random: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    picture = np.zeros((SIDE, SIDE))
    for angle in np.linspace(0, random.uniform(2, 6), 12):
        at_y, at_x = 14 + 8 * np.sin(angle), 14 + random.uniform(4, 7) * np.cos(angle)
        picture += np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / 2)
    picture = np.clip(picture * 200, 0, 255)
    return np.where(picture < 40, 0, picture).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


SAMPLES: dict[str, tuple[Callable[[int], pa.Table], int, str]] = {
    "vectors": (vectors, 500_000, "x"),
    "pictures": (pictures, 60_000, "image"),
}

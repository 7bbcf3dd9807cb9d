"""Synthetic rows for trying a repository without data: random pictures with labels 0 to 9."""

import io
import json
from typing import Final

import numpy as np
import pyarrow as pa
from PIL import Image

ROWS: Final = 400
"""Enough for each class to be in both parts of a random split."""

SIDE: Final = 28
CLASSES: Final = 10
FEATURES: Final = {
    "image": {"_type": "Image"},
    "label": {"names": [str(digit) for digit in range(CLASSES)], "_type": "ClassLabel"},
}


def digits() -> pa.Table:
    """Return 400 rows with the columns of MNIST: ``image``, 28 x 28 in grey, and ``label``, 0 to 9.

    Each class has a bright row of pixels of its own, in noise, so that there is something to learn.
    """
    random = np.random.default_rng(0)
    pixels = random.integers(0, 60, (ROWS, SIDE, SIDE), dtype=np.uint8)
    labels = np.arange(ROWS) % CLASSES
    pixels[np.arange(ROWS), 2 * labels + 4] = 255
    images = [{"bytes": _png(image), "path": None} for image in pixels]
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [("image", struct), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
    )
    return pa.table([pa.array(images, struct), pa.array(labels)], schema=schema)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()

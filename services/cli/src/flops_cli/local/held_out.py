"""Held-out samples: fetched from the data server, decoded, and sent to the served model."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import requests
from PIL import Image

from flops_cli.errors import LocalSuiteError
from flops_cli.http import session_for
from flops_flight.client import DataServer

PREDICT_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Samples:
    """Pictures as rows of grey values from 0 to 255, and their labels."""

    inputs: tuple[tuple[int, ...], ...]
    labels: tuple[int, ...]

    def accuracy_of(self, predictions: Sequence[int]) -> float:
        """Return the share of ``predictions`` that is right."""
        pairs = zip(predictions, self.labels, strict=True)
        right = sum(prediction == label for prediction, label in pairs)
        return right / len(self.labels)


def fetch_samples(address: str, tag: str) -> Samples:
    """Return all samples with ``tag`` at the data server ``address`` (host:port)."""
    with DataServer(address) as server:
        fragments = server.list_fragments((tag,))
        tables = [server.download(fragment.name) for fragment in fragments]
    rows = [row for table in tables for row in table.to_pylist()]
    if not rows:
        raise LocalSuiteError(f"the data server at {address} has no fragment with the tag {tag}")
    return Samples(
        inputs=tuple(grey_values(row["image"]["bytes"]) for row in rows),
        labels=tuple(int(row["label"]) for row in rows),
    )


def grey_values(picture: bytes) -> tuple[int, ...]:
    """Return the pixels of an encoded picture, row by row."""
    with Image.open(io.BytesIO(picture)) as image:
        return tuple(image.convert("L").tobytes())


def predict(model_url: str, inputs: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the served model's predictions, over MLflow's scoring protocol."""
    url = f"{model_url}/invocations"
    document = {"inputs": [[float(value) for value in sample] for sample in inputs]}
    try:
        with session_for(url) as session:
            response = session.post(url, json=document, timeout=PREDICT_SECONDS)
        if not response.ok:
            reason = f"{response.status_code}: {response.text[:500]}"
            raise LocalSuiteError(f"{url} answers with status {reason}")
        return tuple(int(label) for label in response.json()["predictions"])
    except (requests.RequestException, ValueError, KeyError) as error:
        raise LocalSuiteError(f"the model at {url} does not predict: {error}") from error

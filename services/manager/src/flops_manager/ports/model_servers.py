"""Predictions of a served model."""

from typing import Protocol


class ModelServers(Protocol):
    """Sends samples to inference servers."""

    def predict(self, address: str, sample: bytes) -> str:
        """Return the answer of the server at ``address`` to a JSON document, cut to a page's size.

        Raise ``ModelServerError`` with its reason if it refuses or does not answer.
        """

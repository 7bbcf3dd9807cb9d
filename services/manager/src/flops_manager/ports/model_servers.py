"""Asking a served model."""

from typing import Protocol


class ModelServers(Protocol):
    """Sends samples to inference servers."""

    def predict(self, address: str, sample: bytes) -> str:
        """Return what the server at ``address`` answers to a JSON document, cut to a page's size.

        Raise ``ModelServerError`` with its reason if it refuses or does not answer.
        """

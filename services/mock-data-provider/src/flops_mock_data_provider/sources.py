"""The sources of datasets: the hub, a builtin dataset, or a path."""

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

from flops_contracts.errors import FlopsError
from flops_contracts.sla import MockDataConfiguration
from flops_mock_data_provider.builtin import load_builtin
from flops_mock_data_provider.errors import DatasetUnavailableError
from flops_mock_data_provider.files import load_path

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

BUILTIN_PREFIX = "builtin:"
HUB_CONNECT_SECONDS = 10.0
_OFFLINE_HINT = "Without a hub, use `source: builtin:mnist5k`, or a path that this node can read."


def load(request: MockDataConfiguration, builtin: Path, timeout_seconds: float) -> "Dataset":
    """Return the requested split of a dataset; raise ``DatasetUnavailableError``."""
    source = request.source
    if source.startswith(BUILTIN_PREFIX):
        return load_builtin(source.removeprefix(BUILTIN_PREFIX), request.split, builtin)
    if source:
        return load_path(Path(source), request.split)
    return _within(timeout_seconds, lambda: _load_from_hub(request.dataset_name, request.split))


def _load_from_hub(name: str, split: str) -> "Dataset":
    import datasets  # noqa: PLC0415 - a second to import
    from huggingface_hub import constants  # noqa: PLC0415 - comes with datasets

    if not constants.HF_HUB_OFFLINE:
        _check_hub(constants.ENDPOINT)
    try:
        return datasets.load_dataset(name, split=split)
    except Exception as error:
        raise DatasetUnavailableError(
            f"the dataset '{name}' with split '{split}' cannot be loaded: {error}",
            hint=f"Check its name and split at {constants.ENDPOINT}. {_OFFLINE_HINT}",
        ) from error


def _check_hub(endpoint: str) -> None:
    """Raise an error within seconds if no hub is reachable; datasets would retry for minutes."""
    if getproxies():
        return
    address = urlsplit(endpoint)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), HUB_CONNECT_SECONDS).close()
    except OSError as error:
        raise DatasetUnavailableError(
            f"the dataset hub at {endpoint} cannot be reached: {error}", hint=_OFFLINE_HINT
        ) from error


def _within(timeout_seconds: float, work: Callable[[], "Dataset"]) -> "Dataset":
    """Run ``work`` in a thread; after the timeout, the thread is abandoned."""
    outcome: list[Dataset | FlopsError] = []

    def run() -> None:
        try:
            outcome.append(work())
        except FlopsError as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="load", daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    if not outcome:
        raise DatasetUnavailableError(
            f"the dataset could not be loaded within {timeout_seconds:.0f} s",
            hint="Raise FLOPS_DATASET_TIMEOUT_SECONDS, or provide the data as files.",
        )
    if isinstance(outcome[0], FlopsError):
        raise outcome[0]
    return outcome[0]

"""A local-oakestra within the tests' process: up in a moment, for many worlds that differ."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from flops_local_oakestra.bootstrap import build
from flops_local_oakestra.entrypoints.serving import serve
from flops_local_oakestra.settings import Settings
from flops_runtime.environment import read
from support.local_oakestra import IMAGES, free_network
from support.waiting import until


class InnerRoot:
    """The address, in the form of ``support.local_oakestra.World``."""

    def __init__(self, network: str) -> None:
        self.network = network
        self.url = f"http://{network}.0.1:10000"

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=120).ok
        except requests.RequestException:
            return False


@contextmanager
def inner_root(folder: Path, environment: Mapping[str, str]) -> Iterator[InnerRoot]:
    """Serve a root whose settings are ``environment``, and stop it with all that it runs."""
    root = InnerRoot(free_network())
    variables = {
        "FLOPS_LOCAL_NETWORK": root.network,
        "FLOPS_LOCAL_STATE": str(folder / "state"),
        "FLOPS_IMAGE_STORE": str(folder / "images"),
        "FLOPS_IMAGE_PREFIX": IMAGES,
        **environment,
    }
    settings, stopped = read(Settings, variables), threading.Event()
    thread = threading.Thread(target=serve, args=(settings, build(settings, variables), stopped))
    thread.start()
    try:
        until(root.is_ready, 20, "the root is ready")
        yield root
    finally:
        stopped.set()
        thread.join(300)

"""Running a root, from the first socket to the last process."""

import logging
import threading
from typing import Final

from flops_local_oakestra.entrypoints.clusters_api import cluster_app
from flops_local_oakestra.entrypoints.hooks_api import hooks_app
from flops_local_oakestra.entrypoints.key_api import key_app
from flops_local_oakestra.entrypoints.root_api import MAX_BODY_BYTES, root_app
from flops_local_oakestra.entrypoints.servers import Listener, Servers
from flops_local_oakestra.settings import Settings
from flops_local_oakestra.usecases.root import Root

logger = logging.getLogger(__name__)

MEASURE_SECONDS: Final = 5.0
LAST_GRACE_SECONDS: Final = 6.0
"""Grace for instances at shutdown, because local-oakestra itself must end within ten seconds."""
LAST_JOIN_SECONDS: Final = 9.0


def serve(settings: Settings, root: Root, stopped: threading.Event) -> bool:
    """Run a root until ``stopped``, then stop everything; return whether all ended in time.

    Raises ``NotReadyError`` or ``OSError`` if it cannot start.
    """
    # The addresses to listen on may belong to a network that the runtime creates.
    root.runtime.open()
    is_ready = threading.Event()
    servers = Servers(listeners(settings, root, is_ready), MAX_BODY_BYTES)
    try:
        servers.start()
        threading.Thread(target=_begin, args=(root, is_ready), daemon=True).start()
        while not stopped.wait(MEASURE_SECONDS):
            root.reports.measure()
    finally:
        is_ready.clear()
        is_clean = _stop_all(root, min(settings.grace_seconds, LAST_GRACE_SECONDS))
        servers.close()
        root.runtime.close()
    return is_clean


def _begin(root: Root, is_ready: threading.Event) -> None:
    """Start the data servers, which may pull their image; then report ready."""
    root.data_servers.start()
    is_ready.set()


def listeners(settings: Settings, root: Root, is_ready: threading.Event) -> list[Listener]:
    """Return all listeners."""
    tokens = root.accounts.tokens
    return [
        Listener("key endpoint", key_app(tokens), settings.address, settings.key_port),
        *(
            Listener(
                f"resources of {cluster.name}",
                cluster_app(root.resources, cluster),
                settings.resource_address(cluster),
                settings.resource_port,
            )
            for cluster in settings.clusters
            if not settings.is_old
        ),
        Listener("hooks", hooks_app(root.hooks), settings.address, settings.hooks_port),
        Listener(
            "root", root_app(root, is_ready.is_set), settings.address, settings.port, threads=8
        ),
    ]


def _stop_all(root: Root, grace_seconds: float) -> bool:
    """Stop everything at the same time; return whether all instances ended in time."""
    closing = threading.Thread(
        target=root.data_servers.close, args=(grace_seconds, LAST_JOIN_SECONDS), daemon=True
    )
    closing.start()
    is_clean = root.deployments.close(grace_seconds, LAST_JOIN_SECONDS)
    closing.join(LAST_JOIN_SECONDS)
    if not is_clean:
        logger.error("some instances did not end in time")
    return is_clean

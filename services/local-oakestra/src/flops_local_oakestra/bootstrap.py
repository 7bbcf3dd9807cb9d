"""Wires local-oakestra for real; tests wire their own with ``adapters/memory_runtime.py``."""

import logging
import secrets
import threading
from collections.abc import Mapping

import psutil

from flops_local_oakestra.adapters.process_runtime import ProcessRuntime
from flops_local_oakestra.adapters.tokens import Rs256Tokens, new_key, utc_now
from flops_local_oakestra.domain.resources import Load
from flops_local_oakestra.entrypoints.clusters_api import cluster_app
from flops_local_oakestra.entrypoints.key_api import key_app
from flops_local_oakestra.entrypoints.root_api import MAX_BODY_BYTES, Root, root_app
from flops_local_oakestra.entrypoints.servers import Listener, Servers
from flops_local_oakestra.ports.runtime import Runtime
from flops_local_oakestra.ports.tokens import Tokens
from flops_local_oakestra.settings import Settings
from flops_local_oakestra.usecases.accounts import Accounts, hashed
from flops_local_oakestra.usecases.applications import Applications
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.data_servers import DataServers
from flops_local_oakestra.usecases.deployments import Deployments, Rules
from flops_local_oakestra.usecases.reports import Reports
from flops_local_oakestra.usecases.resources import Resources
from flops_local_oakestra.usecases.services import Services

logger = logging.getLogger(__name__)

MEASURE_SECONDS = 5.0
LAST_GRACE_SECONDS = 6.0
"""How long instances have to end when local-oakestra itself has to within ten seconds."""
LAST_JOIN_SECONDS = 9.0


def new_id() -> str:
    """Return an id of the form that the root's database gives out."""
    return secrets.token_hex(12)


def machine_load() -> Load:
    """Return how busy this machine has been since the last call."""
    return psutil.cpu_percent(), psutil.virtual_memory().percent


def build_root(settings: Settings, runtime: Runtime, tokens: Tokens) -> tuple[Root, Reports]:
    """Wire the use cases."""
    catalogue = Catalogue()
    reports = Reports(utc_now)
    rules = Rules(
        restart_seconds=settings.restart_seconds,
        grace_seconds=settings.grace_seconds,
        report_seconds=settings.report_seconds,
        honours_all_constraints=settings.honours_all_constraints,
    )
    deployments = Deployments(
        catalogue, settings.clusters, settings.network, runtime, reports, rules, utc_now
    )
    services = Services(catalogue, deployments, reports, new_id)
    users = hashed(settings.users, utc_now().strftime("%d/%m/%Y %H:%M"))
    root = Root(
        accounts=Accounts(users, tokens),
        applications=Applications(catalogue, services, new_id),
        services=services,
        deployments=deployments,
        resources=Resources(settings.clusters, deployments, machine_load, utc_now),
    )
    return root, reports


def listeners(settings: Settings, root: Root, is_ready: threading.Event) -> list[Listener]:
    """Return everything that listens."""
    tokens = root.accounts.tokens
    return [
        Listener("key endpoint", key_app(tokens), settings.address, settings.key_port),
        *(
            Listener(
                f"resources of {cluster.name}",
                cluster_app(root.resources, cluster),
                cluster.address,
                settings.resource_port,
            )
            for cluster in settings.clusters
        ),
        Listener(
            "root", root_app(root, is_ready.is_set), settings.address, settings.port, threads=8
        ),
    ]


def serve(
    settings: Settings, base_environment: Mapping[str, str], stopped: threading.Event
) -> bool:
    """Be a root until ``stopped``; then stop everything and say whether nothing was left."""
    runtime = ProcessRuntime(
        settings.image_store,
        settings.state / "logs",
        base_environment,
        settings.log_bytes,
        settings.log_files,
    )
    root, reports = build_root(settings, runtime, Rs256Tokens(new_key(), utc_now))
    data_servers = DataServers(
        runtime, settings.data_server_image, settings.state, settings.clusters
    )
    is_ready = threading.Event()
    servers = Servers(listeners(settings, root, is_ready), MAX_BODY_BYTES)
    servers.start()
    try:
        data_servers.start()
        is_ready.set()
        while not stopped.wait(MEASURE_SECONDS):
            reports.measure()
    finally:
        is_ready.clear()
        grace_seconds = min(settings.grace_seconds, LAST_GRACE_SECONDS)
        is_clean = _stop_all(root.deployments, data_servers, grace_seconds)
        servers.close()
    return is_clean


def _stop_all(deployments: Deployments, data_servers: DataServers, grace_seconds: float) -> bool:
    """Ask all at the same time, then wait for all."""
    asking = threading.Thread(
        target=data_servers.close, args=(grace_seconds, LAST_JOIN_SECONDS), daemon=True
    )
    asking.start()
    is_clean = deployments.close(grace_seconds, LAST_JOIN_SECONDS)
    asking.join(LAST_JOIN_SECONDS)
    if not is_clean:
        logger.error("some instances did not end; their shims will end them")
    return is_clean

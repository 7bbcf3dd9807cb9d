"""Wires local-oakestra for real; tests wire their own with ``adapters/memory_runtime.py``."""

import secrets
from collections.abc import Mapping

import psutil

from flops_local_oakestra.adapters.process_runtime import ProcessRuntime
from flops_local_oakestra.adapters.tokens import Rs256Tokens, new_key, utc_now
from flops_local_oakestra.domain.resources import Load
from flops_local_oakestra.settings import Settings
from flops_local_oakestra.usecases.accounts import Accounts, hashed
from flops_local_oakestra.usecases.applications import Applications
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.data_servers import DataServers
from flops_local_oakestra.usecases.deployments import Deployments, Rules
from flops_local_oakestra.usecases.reports import Reports
from flops_local_oakestra.usecases.resources import Resources
from flops_local_oakestra.usecases.root import Root
from flops_local_oakestra.usecases.services import Services


def build(settings: Settings, base_environment: Mapping[str, str]) -> Root:
    """Wire a root whose instances are processes; nothing starts yet."""
    catalogue = Catalogue()
    reports = Reports(utc_now)
    runtime = ProcessRuntime(
        settings.image_store,
        settings.state / "logs",
        base_environment,
        settings.log_bytes,
        settings.log_files,
    )
    deployments = Deployments(
        catalogue, settings.clusters, settings.network, runtime, reports, _rules(settings), utc_now
    )
    services = Services(catalogue, deployments, reports, new_id)
    users = hashed(settings.users, utc_now().strftime("%d/%m/%Y %H:%M"))
    return Root(
        accounts=Accounts(users, Rs256Tokens(new_key(), utc_now)),
        applications=Applications(catalogue, services, new_id),
        services=services,
        deployments=deployments,
        resources=Resources(settings.clusters, deployments, machine_load, utc_now),
        reports=reports,
        data_servers=DataServers(
            runtime, settings.data_server_image, settings.state, settings.clusters
        ),
    )


def new_id() -> str:
    """Return an id of the form that the root's database gives out."""
    return secrets.token_hex(12)


def machine_load() -> Load:
    """Return how busy this machine has been since the last call."""
    return psutil.cpu_percent(), psutil.virtual_memory().percent


def _rules(settings: Settings) -> Rules:
    return Rules(
        restart_seconds=settings.restart_seconds,
        grace_seconds=settings.grace_seconds,
        report_seconds=settings.report_seconds,
        honours_all_constraints=settings.honours_all_constraints,
    )

"""Wires local-oakestra for real; tests wire their own with ``tests/support/memory``."""

import secrets
from collections.abc import Mapping

import psutil

from flops_local_oakestra.adapters.container_runtime import ContainerRuntime
from flops_local_oakestra.adapters.engine import Engine
from flops_local_oakestra.adapters.engine_commands import ContainerOptions, EngineWorld
from flops_local_oakestra.adapters.log_files import LogFiles
from flops_local_oakestra.adapters.process_runtime import ProcessRuntime
from flops_local_oakestra.adapters.tokens import Rs256Tokens, new_key, utc_now
from flops_local_oakestra.adapters.webhooks import Webhooks
from flops_local_oakestra.domain.resources import Load
from flops_local_oakestra.ports.runtime import Runtime
from flops_local_oakestra.settings import Settings
from flops_local_oakestra.usecases.accounts import Accounts, hashed
from flops_local_oakestra.usecases.applications import Applications
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.data_servers import DataServers, as_container, as_process
from flops_local_oakestra.usecases.deployments import Deployments, Rules
from flops_local_oakestra.usecases.hooks import Hooks
from flops_local_oakestra.usecases.reports import Reports
from flops_local_oakestra.usecases.resources import Resources
from flops_local_oakestra.usecases.root import Root
from flops_local_oakestra.usecases.services import Services


def build(settings: Settings, variables: Mapping[str, str]) -> Root:
    """Wire a root without starting it; instances get the ``variables`` that the settings name."""
    hooks = Hooks(new_id, Webhooks().send)
    catalogue = Catalogue(notify=hooks.fire)
    reports = Reports(utc_now, is_sparse=settings.is_sparse)
    runtime = _runtime(settings, variables)
    deployments = Deployments(
        catalogue, settings.clusters, settings.network, runtime, reports, _rules(settings), utc_now
    )
    services = Services(catalogue, deployments, reports, new_id)
    users = hashed(settings.users, utc_now().strftime("%d/%m/%Y %H:%M"))
    return Root(
        accounts=Accounts(users, Rs256Tokens(new_key(), utc_now)),
        catalogue=catalogue,
        applications=Applications(catalogue, services, new_id),
        services=services,
        deployments=deployments,
        resources=Resources(
            settings.clusters, deployments, machine_load, utc_now, is_old=settings.is_old
        ),
        reports=reports,
        data_servers=_data_servers(settings, runtime),
        hooks=hooks,
        runtime=runtime,
    )


def new_id() -> str:
    """Return an id in the form of the root's database."""
    return secrets.token_hex(12)


def machine_load() -> Load:
    """Return how busy this machine has been since the last call."""
    return psutil.cpu_percent(), psutil.virtual_memory().percent


def _runtime(settings: Settings, variables: Mapping[str, str]) -> Runtime:
    logs = LogFiles(settings.state.absolute() / "logs", settings.log_files)
    passed = {name: variables[name] for name in settings.passed if name in variables}
    if not settings.containers:
        return ProcessRuntime(
            settings.image_store.absolute(),
            logs,
            passed,
            settings.log_bytes,
            settings.image_environments,
        )
    options = ContainerOptions(
        environment=passed,
        log_bytes=settings.log_bytes,
        cores=psutil.cpu_count() or 1,
        has_limits=settings.containers.has_limits,
        security_options=settings.containers.security_options,
    )
    return ContainerRuntime(
        [Engine(program, variables) for program in settings.containers.engines],
        EngineWorld(settings.network.prefix),
        options,
        logs,
        psutil.virtual_memory().total,
    )


def _data_servers(settings: Settings, runtime: Runtime) -> DataServers:
    image = settings.data_server_image
    describe = (
        as_container(image) if settings.containers else as_process(image, settings.state.absolute())
    )
    return DataServers(runtime, image, describe, settings.clusters)


def _rules(settings: Settings) -> Rules:
    containers = settings.containers
    return Rules(
        restart_seconds=settings.restart_seconds,
        grace_seconds=settings.grace_seconds,
        report_seconds=settings.report_seconds,
        honours_all_constraints=settings.is_old,
        scheduler=settings.scheduler,
        publish_address=containers.publish_address if containers else "",
        public_address=containers.public_address if containers else "",
        is_sparse=settings.is_sparse,
    )

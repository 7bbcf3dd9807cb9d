"""What several deployments are told alike: who they are, and how to reach what is shared."""

import json

from flops_contracts.declared import dump
from flops_contracts.privacy import NO_PRIVACY
from flops_contracts.roles import Role
from flops_contracts.sla import Parametrised, ProjectSla
from flops_manager.domain.deployments import TRACKING_PORT, Installation
from flops_manager.domain.projects import Project
from flops_manager.domain.subjects import Service


def actor(
    service: Service, stage: str, installation: Installation, log_level: str, trace: str
) -> dict[str, str]:
    """Return who an actor is and how it reports."""
    traces = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": installation.otlp_endpoint,
        "FLOPS_TRACEPARENT": trace,
    }
    return {
        **(traces if trace else {}),
        "FLOPS_INSTANCE": service.instance,
        "FLOPS_STAGE": stage,
        "FLOPS_CLUSTER": service.cluster,
        "FLOPS_NODE": service.node,
        "FLOPS_MQTT_URL": installation.mqtt_url,
        "FLOPS_MQTT_PASSWORD": installation.mqtt_password,
        "FLOPS_LOG_LEVEL": log_level,
        "FLOPS_HEARTBEAT_SECONDS": f"{installation.heartbeat_seconds:g}",
        **({} if installation.keeps_logs else {"FLOPS_SHIP_LOGS": "false"}),
    }


def in_project(project: Project, service: Service, installation: Installation) -> dict[str, str]:
    """Return the same for an actor of a project."""
    level = "DEBUG" if project.sla.verbose else installation.log_level
    return {
        "FLOPS_PROJECT_ID": project.id,
        **actor(service, service.stage, installation, level, project.trace),
    }


def at_data_servers(installation: Installation) -> dict[str, str]:
    """Return what learners and mock data providers show a data server, and whom they trust."""
    told = {
        "FLOPS_DATA_SERVER_TOKEN": installation.data_server_token,
        "FLOPS_DATA_SERVER_CA": installation.data_server_ca,
    }
    return {name: value for name, value in told.items() if value}


def tracking_url(project: Project) -> str:
    """Return where the project's customer has MLflow; empty while it is not deployed."""
    servers = project.present(Role.TRACKING_SERVER)
    return f"http://{servers[0].address}:{TRACKING_PORT}" if servers else ""


def privacy_of(sla: ProjectSla) -> dict[str, str]:
    """Return what aggregators and learners are told to keep to, if anything was promised."""
    if sla.privacy == NO_PRIVACY:
        return {}
    return {"FLOPS_PRIVACY": json.dumps(dump(sla.privacy), sort_keys=True)}


def json_of(named: Parametrised) -> str:
    """Return a strategy or partitioner as a variable holds it."""
    document = {"name": named.name, "parameters": dict(named.parameters)}
    return json.dumps(document, sort_keys=True)

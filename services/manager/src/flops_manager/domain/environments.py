"""Access and identity that several deployments share."""

from flops_contracts.access import BrokerAccess
from flops_contracts.orders import Assignment, MockAssignment
from flops_contracts.ports import TRACKING_PORT
from flops_contracts.roles import MockStage, Role
from flops_manager.domain.deployments import Installation
from flops_manager.domain.mocks import Mock
from flops_manager.domain.projects import Project
from flops_manager.domain.subjects import Service
from flops_runtime.environment import variable_of, write
from flops_runtime.settings import ProcessSettings
from flops_runtime.tracing import TraceSettings


def in_project(project: Project, service: Service, installation: Installation) -> dict[str, str]:
    """Return who an actor of a project is, and how it reports."""
    assignment = Assignment(
        instance=service.instance,
        stage=service.stage,
        subject_id=project.id,
        cluster=service.cluster,
        node=service.node,
        heartbeat_seconds=installation.heartbeat_seconds,
        ships_logs=installation.keeps_logs,
    )
    level = "DEBUG" if project.sla.verbose else installation.log_level
    return _actor(assignment, installation, level, project.trace)


def in_mock(mock: Mock, service: Service, installation: Installation) -> dict[str, str]:
    """Return who an actor of a mock is, and how it reports."""
    assignment = MockAssignment(
        instance=service.instance,
        stage=MockStage.PROVIDING,
        subject_id=mock.id,
        cluster=service.cluster,
        node=service.node,
        heartbeat_seconds=installation.heartbeat_seconds,
        ships_logs=installation.keeps_logs,
    )
    return _actor(assignment, installation, installation.log_level, mock.trace)


def _actor(
    assignment: Assignment, installation: Installation, log_level: str, trace: str
) -> dict[str, str]:
    traces = write(TraceSettings(installation.otlp_endpoint, trace)) if trace else {}
    return {
        **traces,
        **write(assignment),
        **write(BrokerAccess(installation.mqtt_url, installation.mqtt_password)),
        variable_of(ProcessSettings, "log_level"): log_level,
    }


def tracking_url(project: Project) -> str:
    """Return the URL of the customer's MLflow; empty while it is not deployed."""
    servers = project.present(Role.TRACKING_SERVER)
    return f"http://{servers[0].address}:{servers[0].port or TRACKING_PORT}" if servers else ""

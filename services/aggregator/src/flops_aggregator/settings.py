"""The aggregator's settings: its orders, what it may access, and what an operator can change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flops_contracts.access import GridAccess, ParentAccess
from flops_contracts.declared import about, declared
from flops_contracts.orders import TrackOrder, TrainOrder
from flops_contracts.ports import GRID_PORT
from flops_contracts.roles import Role
from flops_grid.wire.tls import TlsFiles
from flops_runtime.settings import ActorSettings

PORT_SETTING: Final = "FLOPS_GRID_PORT"


@dataclass(frozen=True)
class TrackingSettings(TrackOrder):
    """Where MLflow is, what the training is called there, and how patiently to ask it."""

    connect_timeout_seconds: float = declared(
        120.0, "How long the tracking server may be unreachable.", "FLOPS_MLFLOW_TIMEOUT_SECONDS"
    )


@dataclass(frozen=True)
class ParentSettings(ParentAccess):
    """The aggregator that this one is a client of."""

    timeout_seconds: float = declared(
        300.0,
        "Longest single outage of the parent aggregator to tolerate.",
        "FLOPS_PARENT_TIMEOUT_SECONDS",
    )


def _role(settings: Mapping[str, Any]) -> Role:
    return Role.CLUSTER_AGGREGATOR if settings["parent"] else Role.AGGREGATOR


@dataclass(frozen=True)
class Settings:
    """All settings; a root has no parent."""

    parent: ParentSettings | None
    actor: ActorSettings = field(metadata=about(given={"role": _role}))
    access: GridAccess
    tls: TlsFiles
    training: TrainOrder
    tracking: TrackingSettings
    port: int = declared(GRID_PORT, "Port that clients dial.", PORT_SETTING, maximum=65535)

    def problems(self) -> Iterator[str]:
        """Yield what a root lacks, which publishes the model."""
        if not self.parent and not self.tracking.model_name:
            yield "FLOPS_MODEL_NAME is missing"

"""The learner's settings: its order, what it may access, and what an operator can change."""

from dataclasses import dataclass, field

from flops_contracts.access import DataServerAccess, GridAccess
from flops_contracts.declared import about, declared
from flops_contracts.orders import LearnOrder
from flops_contracts.ports import NODE_DATA_SERVER
from flops_contracts.roles import Role
from flops_grid.wire.tls import TlsFiles
from flops_runtime.settings import ActorSettings


@dataclass(frozen=True)
class Settings:
    """Where the aggregator and the data are, and which share of the data is this learner's."""

    actor: ActorSettings = field(metadata=about(given={"role": Role.LEARNER}))
    order: LearnOrder
    access: GridAccess
    tls: TlsFiles
    data_server: DataServerAccess
    data_server_address: str = declared(
        NODE_DATA_SERVER, "Data server of this node: host:port.", "FLOPS_DATA_SERVER_ADDRESS"
    )
    aggregator_timeout_seconds: float = declared(
        300.0,
        "Longest single outage of the aggregator to tolerate.",
        "FLOPS_AGGREGATOR_TIMEOUT_SECONDS",
    )

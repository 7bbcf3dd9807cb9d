"""The mock data provider's settings."""

from dataclasses import dataclass, field
from pathlib import Path

from flops_contracts.access import DataServerAccess
from flops_contracts.declared import about, declared
from flops_contracts.orders import ProvideOrder
from flops_contracts.ports import NODE_DATA_SERVER
from flops_contracts.roles import Role
from flops_contracts.sla import MockDataConfiguration
from flops_runtime.settings import MockActorSettings, ProcessSettings


@dataclass(frozen=True)
class Loading:
    """Where datasets come from."""

    builtin_datasets: Path = declared(
        Path(), "Folder with the files of builtin datasets.", "FLOPS_BUILTIN_DATASETS"
    )
    timeout_seconds: float = declared(
        1800.0, "How long loading the dataset may take.", "FLOPS_DATASET_TIMEOUT_SECONDS"
    )


@dataclass(frozen=True)
class Settings:
    """Which dataset to split how, and where to send it."""

    actor: MockActorSettings = field(metadata=about(given={"role": Role.MOCK_DATA_PROVIDER}))
    order: ProvideOrder
    data_server_address: str = declared(
        NODE_DATA_SERVER,
        "host:port of the data server; by default that of NodeEngine on Docker's bridge.",
        "FLOPS_DATA_SERVER_ADDRESS",
    )
    data_server: DataServerAccess = field(default_factory=DataServerAccess)
    loading: Loading = field(default_factory=Loading)


@dataclass(frozen=True)
class SplitSettings:
    """Settings of ``python -m flops_mock_data_provider split FOLDER``."""

    process: ProcessSettings
    request: MockDataConfiguration
    loading: Loading

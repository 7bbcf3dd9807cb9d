"""The tracking server's settings: its order, its stores, and what every process has."""

from collections.abc import Iterator
from dataclasses import dataclass

from flops_contracts.access import StoreAccess
from flops_contracts.orders import TrackingServerOrder
from flops_runtime.environment import variable_of
from flops_runtime.settings import ProcessSettings
from flops_tracking_server.artifact_urls import ArtifactStore, artifact_store


@dataclass(frozen=True)
class Settings:
    """Where the stores are, and which Host headers are answered."""

    stores: StoreAccess
    process: ProcessSettings
    order: TrackingServerOrder

    @property
    def artifact_store(self) -> ArtifactStore:
        """The artifact store as MLflow and boto3 know it."""
        return artifact_store(self.stores.artifact_url)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the URL of the artifact store."""
        try:
            artifact_store(self.stores.artifact_url)
        except ValueError as error:
            yield f"{variable_of(StoreAccess, 'artifact_url')} {error}"

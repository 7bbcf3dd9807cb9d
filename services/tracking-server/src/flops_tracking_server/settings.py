"""The tracking server's settings."""

from dataclasses import dataclass, field

from flops_contracts.declared import about, declared
from flops_runtime.settings import ProcessSettings
from flops_tracking_server.artifact_urls import ArtifactStore, artifact_store

TRACKING_PORT = 7027


@dataclass(frozen=True)
class Settings:
    """Where the stores are, and which Host headers are answered."""

    backend_store_url: str = field(
        repr=False,
        metadata=about(
            "SQL database of MLflow, as an SQLAlchemy URL; sqlite:////path works too.",
            "FLOPS_BACKEND_STORE_URL",
        ),
    )
    artifact_store: ArtifactStore = field(
        metadata=about(
            "Where artifacts lie: a folder, s3://bucket/path, or for a store of one's own "
            "s3+http[s]://KEY:SECRET@host:port/bucket/path.",
            "FLOPS_ARTIFACT_STORE_URL",
            parse=artifact_store,
        )
    )
    process: ProcessSettings
    allowed_hosts: tuple[str, ...] = declared(
        (),
        "Further Host headers that are answered: names or addresses, without ports.",
        "FLOPS_ALLOWED_HOSTS",
    )
    port: int = declared(TRACKING_PORT, "Port of MLflow.", "FLOPS_TRACKING_PORT", maximum=65535)

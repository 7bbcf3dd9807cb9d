"""What the tracking server is told from outside."""

from dataclasses import dataclass, field

from flops_runtime.environment import BadSettingsError, Environment
from flops_runtime.settings import ProcessSettings
from flops_tracking_server.artifact_urls import ArtifactStore, artifact_store

TRACKING_PORT = 7027


@dataclass(frozen=True)
class Settings:
    """Where the stores are and who may ask. The backend store's URL may hold a password."""

    backend_store_url: str = field(repr=False)
    artifact_store: ArtifactStore
    allowed_hosts: tuple[str, ...]
    port: int
    process: ProcessSettings

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; raise ``BadSettingsError`` with everything that is wrong."""
        settings = cls(
            backend_store_url=environment.text(
                "FLOPS_BACKEND_STORE_URL",
                help="SQL database of MLflow, as an SQLAlchemy URL; sqlite:////path works too.",
            ),
            artifact_store=_artifact_store(environment),
            allowed_hosts=environment.items(
                "FLOPS_ALLOWED_HOSTS",
                (),
                help="Further Host headers that are answered: names or addresses, no ports.",
            ),
            port=environment.whole(
                "FLOPS_TRACKING_PORT", TRACKING_PORT, help="Port of MLflow.", maximum=65535
            ),
            process=ProcessSettings.from_env(environment),
        )
        environment.check()
        return settings


def _artifact_store(environment: Environment) -> ArtifactStore:
    url = environment.text(
        "FLOPS_ARTIFACT_STORE_URL",
        help="Where artifacts lie: a folder, s3://bucket/path, or for a store of one's own "
        "s3+http[s]://KEY:SECRET@host:port/bucket/path.",
    )
    try:
        return artifact_store(url)
    except ValueError as error:
        raise BadSettingsError(f"FLOPS_ARTIFACT_STORE_URL {error}") from None

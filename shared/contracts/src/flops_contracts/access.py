"""Credentials and trust of actors: the secrets that stay apart from orders."""

from dataclasses import dataclass, field

from flops_contracts.declared import about, declared


@dataclass(frozen=True)
class BrokerAccess:
    """How to log in to the MQTT broker."""

    url: str = field(
        metadata=about(
            "Broker: mqtt://[user@]host:port, or mqtts:// for TLS; port 9027 if none is given.",
            "FLOPS_MQTT_URL",
        )
    )
    password: str = declared(
        "", "Password of the user in FLOPS_MQTT_URL.", "FLOPS_MQTT_PASSWORD", secret=True
    )


@dataclass(frozen=True)
class GridAccess:
    """The token of clients and their aggregator."""

    token: str = field(
        repr=False, metadata=about("Token for joining the aggregator.", "FLOPS_GRID_TOKEN")
    )


@dataclass(frozen=True)
class ParentAccess:
    """The aggregator above, of which this one is a client; a root has none."""

    address: str = field(
        metadata=about("Parent aggregator: host:port; empty at the root.", "FLOPS_PARENT_ADDRESS")
    )
    token: str = declared(
        "", "Token for joining the parent aggregator.", "FLOPS_PARENT_TOKEN", secret=True
    )


@dataclass(frozen=True)
class GridIdentity:
    """Certificates of one peer in a grid; ``name`` is the aggregator's if not its address."""

    certificate: str = declared(
        "",
        "Own certificate for the grid: a PEM file, or pem: and Base64.",
        "FLOPS_GRID_TLS_CERTIFICATE",
    )
    key: str = declared("", "Its key, in the same form.", "FLOPS_GRID_TLS_KEY", secret=True)
    ca: str = declared(
        "", "CA that peers' certificates must be signed by, in the same form.", "FLOPS_GRID_TLS_CA"
    )
    name: str = declared("", "Name in the aggregator's certificate.", "FLOPS_GRID_TLS_NAME")


@dataclass(frozen=True)
class DataServerAccess:
    """Credentials of data servers' clients; no TLS without ``ca``."""

    token: str = declared(
        "", "Token that data servers require, if any.", "FLOPS_DATA_SERVER_TOKEN", secret=True
    )
    ca: str = declared(
        "",
        "Certificate authority of the data servers (PEM); turns TLS on.",
        "FLOPS_DATA_SERVER_CA",
    )


@dataclass(frozen=True)
class RegistryAccess:
    """How built images get into their registry; nodes pull by the name in the references."""

    address: str = declared(
        "",
        "host:port that images are pushed to, if not the one in their references.",
        "FLOPS_IMAGE_PUSH_REGISTRY",
    )
    user: str = declared("", "User that the image-builder pushes as.", "FLOPS_IMAGE_REGISTRY_USER")
    password: str = declared(
        "", "Password of that user.", "FLOPS_IMAGE_REGISTRY_PASSWORD", secret=True
    )
    tls: bool = declared(True, "Whether the registry must speak HTTPS.", "FLOPS_REGISTRY_TLS")


@dataclass(frozen=True)
class StoreAccess:
    """Where a tracking server keeps its records and artifacts; both URLs may hold a password."""

    backend_url: str = field(
        repr=False,
        metadata=about(
            "SQL database of MLflow, as an SQLAlchemy URL; sqlite:////path works too.",
            "FLOPS_BACKEND_STORE_URL",
        ),
    )
    artifact_url: str = field(
        repr=False,
        metadata=about(
            "Where artifacts lie: a folder, s3://bucket/path, or for a store of one's own "
            "s3+http[s]://KEY:SECRET@host:port/bucket/path.",
            "FLOPS_ARTIFACT_STORE_URL",
        ),
    )

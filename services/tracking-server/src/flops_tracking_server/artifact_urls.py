"""Splits the URL of an S3 store into the separate settings of MLflow and boto3."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

SCHEMES = {"s3+http": "http", "s3+https": "https"}
_REGION = "us-east-1"


@dataclass(frozen=True)
class ArtifactStore:
    """MLflow's URL of a store, and the environment variables for access to it."""

    url: str
    variables: dict[str, str] = field(default_factory=dict, repr=False)


def artifact_store(url: str) -> ArtifactStore:
    """Return ``url`` as it is, or split if it is ``s3+http[s]://KEY:SECRET@host/bucket/path``.

    Raises ``ValueError`` with the expected form, without the secret.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in SCHEMES:
        return ArtifactStore(url)
    parts = urlsplit(url)
    if not (parts.username and parts.password and parts.hostname and parts.path.strip("/")):
        raise ValueError(f"must be like {scheme}://KEY:SECRET@host:port/bucket/path")
    host = parts.netloc.rpartition("@")[2]
    return ArtifactStore(
        url=f"s3://{parts.path.strip('/')}",
        variables={
            "MLFLOW_S3_ENDPOINT_URL": f"{SCHEMES[scheme]}://{host}",
            "AWS_ACCESS_KEY_ID": unquote(parts.username),
            "AWS_SECRET_ACCESS_KEY": unquote(parts.password),
            # Part of every signature; self-hosted stores use this one.
            "AWS_DEFAULT_REGION": _REGION,
            # Only Amazon supports checksums in trailers; other stores return an error.
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        },
    )

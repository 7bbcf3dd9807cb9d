"""The data server's settings; all have defaults, because NodeEngine passes no environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flops_contracts.declared import declared
from flops_contracts.ports import DATA_SERVER_PORT
from flops_ml_data_server.access.callers import OPERATOR, Doorkeeper
from flops_ml_data_server.access.rules import TagRules
from flops_ml_data_server.storage.uploads import Limits
from flops_ml_data_server.transfers.memory import DEFAULT_MAX_TRANSFERS, DEFAULT_MEMORY_BYTES
from flops_runtime.settings import MqttSettings, ProcessSettings
from flops_runtime.tracing import NO_TRACES, TraceSettings

HTTP_PORT = 11028
VOLUME = "/ml_data_server_volume"
VOLUME_SETTING = "FLOPS_DATA_VOLUME"
CONFIG_FOLDER = ".config"


@dataclass(frozen=True)
class DataServerProcess(ProcessSettings):
    """Where the data server listens, and how it logs."""

    status_port: int = declared(
        HTTP_PORT, "Port of the status API.", "FLOPS_HTTP_PORT", maximum=65535
    )


def _clients(text: str) -> tuple[tuple[str, str], ...]:
    pairs = tuple(
        (name.strip(), token.strip())
        for name, _, token in (item.partition("=") for item in text.split(",") if item.strip())
    )
    if not all(name and token and name != OPERATOR for name, token in pairs):
        # The value is not shown: a part of it is secret.
        raise ValueError(
            "is not of the form name=token,name=token, where each client has a name and a token, "
            f"and none is called '{OPERATOR}'"
        )
    return pairs


@dataclass(frozen=True)
class Tokens:
    """The tokens of callers; without any, all calls are allowed."""

    operator: str = declared(
        "",
        "Token of the operator, who may do everything.",
        "FLOPS_DATA_SERVER_TOKEN",
        secret=True,
    )
    clients: tuple[tuple[str, str], ...] = declared(
        (),
        "Tokens of clients: name=token,name=token.",
        "FLOPS_DATA_SERVER_CLIENTS",
        secret=True,
        parse=_clients,
    )


@dataclass(frozen=True)
class Settings:
    """The settings of one data server; tokens, TLS (PEM texts) and MQTT are off when empty."""

    process: DataServerProcess
    volume: Path = declared(Path(VOLUME), "Folder of all fragments.", VOLUME_SETTING)
    flight_port: int = declared(
        DATA_SERVER_PORT, "Port of Arrow Flight.", "FLOPS_FLIGHT_PORT", maximum=65535
    )
    codec: str = declared(
        "zstd",
        "How columns are compressed; binary columns never are.",
        "FLOPS_PARQUET_CODEC",
        choices=("zstd", "lz4", "snappy", "none"),
    )
    limits: Limits = field(default_factory=Limits)
    max_bytes: int = declared(
        DEFAULT_MEMORY_BYTES,
        "Memory for all transfers together, in MB.",
        "FLOPS_MEMORY_MB",
        minimum=1,
        scale=10**6,
    )
    max_transfers: int = declared(
        DEFAULT_MAX_TRANSFERS,
        "Uploads and downloads at once; more are refused.",
        "FLOPS_MAX_TRANSFERS",
        minimum=1,
    )
    tag_quota_mb: int = declared(
        0, "Disk for each tag without rules, in MB; 0 means no limit.", "FLOPS_TAG_QUOTA_MB"
    )
    retention_days: int = declared(
        0, "How long data without rules are kept; 0: for ever.", "FLOPS_RETENTION_DAYS"
    )
    tokens: Tokens = field(default_factory=Tokens)
    tls_certificate: str = declared(
        "", "Certificate chain, PEM text; turns TLS on.", "FLOPS_TLS_CERTIFICATE"
    )
    tls_key: str = declared("", "Its key, PEM text.", "FLOPS_TLS_KEY", secret=True)
    node: str = declared("", "Name of this node; empty: its host's.", "FLOPS_NODE")
    mqtt: MqttSettings | None = None
    traces: TraceSettings = NO_TRACES
    logs_may_leave: bool = declared(
        True,
        "Whether learners of this node may send their logs to the manager.",
        "FLOPS_LOGS_MAY_LEAVE",
    )

    @property
    def rules(self) -> TagRules:
        """The rules of tags without rules of their own."""
        return TagRules(quota_mb=self.tag_quota_mb, retention_days=self.retention_days)

    @property
    def doorkeeper(self) -> Doorkeeper:
        """The doorkeeper that checks the tokens of callers."""
        return Doorkeeper(self.tokens.operator, dict(self.tokens.clients))


def variables_with_files(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables, and below them what the files of the volume's ``.config`` say.

    A file is named like the setting that it holds. NodeEngine passes no environment, but the
    volume is the operator's.
    """
    folder = Path(variables.get(VOLUME_SETTING) or VOLUME) / CONFIG_FOLDER
    files: dict[str, str] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name.startswith("FLOPS_") and path.is_file():
                files[path.name] = path.read_text(encoding="utf-8").strip()
    return {**files, **{name: value for name, value in variables.items() if value}}

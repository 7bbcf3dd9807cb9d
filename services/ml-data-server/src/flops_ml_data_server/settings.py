"""What the data server is told; all of it has defaults, because NodeEngine passes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flops_ml_data_server.access.callers import OPERATOR, Doorkeeper
from flops_ml_data_server.access.rules import TagRules
from flops_ml_data_server.storage.uploads import Limits
from flops_ml_data_server.transfers.memory import DEFAULT_MAX_TRANSFERS, DEFAULT_MEMORY_BYTES
from flops_runtime.environment import BadSettingsError, Environment
from flops_runtime.settings import MqttSettings, ProcessSettings
from flops_runtime.tracing import NO_TRACES, TraceSettings

FLIGHT_PORT = 11027
HTTP_PORT = 11028
VOLUME = "/ml_data_server_volume"
VOLUME_SETTING = "FLOPS_DATA_VOLUME"
CONFIG_FOLDER = ".config"
CODECS = ("zstd", "lz4", "snappy", "none")


@dataclass(frozen=True)
class Settings:
    """The settings of one data server; tokens, TLS (PEM texts) and MQTT are off when empty."""

    process: ProcessSettings
    volume: Path
    flight_port: int = FLIGHT_PORT
    codec: str = "zstd"
    limits: Limits = field(default_factory=Limits)
    max_bytes: int = DEFAULT_MEMORY_BYTES
    max_transfers: int = DEFAULT_MAX_TRANSFERS
    rules: TagRules = field(default_factory=TagRules)
    doorkeeper: Doorkeeper = field(default_factory=Doorkeeper, repr=False)
    tls_certificate: str = ""
    tls_key: str = field(default="", repr=False)
    node: str = ""
    mqtt: MqttSettings | None = None
    traces: TraceSettings = NO_TRACES
    logs_may_leave: bool = True

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them all; raise ``BadSettingsError``."""
        settings = cls(
            process=ProcessSettings.from_env(
                environment, port_setting="FLOPS_HTTP_PORT", default_port=HTTP_PORT
            ),
            volume=environment.path(VOLUME_SETTING, VOLUME, help="Folder of all fragments."),
            flight_port=environment.whole(
                "FLOPS_FLIGHT_PORT", FLIGHT_PORT, help="Port of Arrow Flight.", maximum=65535
            ),
            codec=environment.text(
                "FLOPS_PARQUET_CODEC",
                cls.codec,
                help="How columns are packed; binary columns never are.",
                choices=CODECS,
            ),
            limits=_limits(environment),
            max_bytes=environment.whole(
                "FLOPS_MEMORY_MB", 512, help="What all transfers together may hold.", minimum=1
            )
            * 10**6,
            max_transfers=environment.whole(
                "FLOPS_MAX_TRANSFERS",
                cls.max_transfers,
                help="Uploads and downloads at once; more are refused.",
                minimum=1,
            ),
            rules=_rules(environment),
            doorkeeper=_doorkeeper(environment),
            tls_certificate=environment.text(
                "FLOPS_TLS_CERTIFICATE", "", help="Certificate chain, PEM text; turns TLS on."
            ),
            tls_key=environment.text("FLOPS_TLS_KEY", "", help="Its key, PEM text."),
            node=environment.text("FLOPS_NODE", "", help="Name of this node; empty: its host's."),
            mqtt=_mqtt(environment),
            traces=TraceSettings.from_env(environment),
            logs_may_leave=environment.flag(
                "FLOPS_LOGS_MAY_LEAVE",
                default=True,
                help="Whether learners of this node may send what they log to the manager.",
            ),
        )
        environment.check()
        return settings


def variables_with_files(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables, and below them what the files of the volume's ``.config`` say.

    A file is named like the setting that it holds. NodeEngine passes no environment, but the
    volume is the operator's.
    """
    folder = Path(variables.get(VOLUME_SETTING) or VOLUME) / CONFIG_FOLDER
    found: dict[str, str] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name.startswith("FLOPS_") and path.is_file():
                found[path.name] = path.read_text(encoding="utf-8").strip()
    return {**found, **{name: value for name, value in variables.items() if value}}


def _limits(environment: Environment) -> Limits:
    return Limits(
        max_upload_bytes=environment.whole(
            "FLOPS_MAX_UPLOAD_MB", 0, help="Largest upload; 0 means as large as the disk."
        )
        * 10**6,
        min_free_bytes=environment.whole(
            "FLOPS_MIN_FREE_MB", 100, help="Space that stays free on the disk."
        )
        * 10**6,
        idle_seconds=environment.seconds(
            "FLOPS_UPLOAD_IDLE_SECONDS",
            Limits.idle_seconds,
            help="After how long a silence an upload is given up.",
        ),
        upload_seconds=environment.seconds(
            "FLOPS_UPLOAD_SECONDS", Limits.upload_seconds, help="How long an upload may take."
        ),
    )


def _rules(environment: Environment) -> TagRules:
    return TagRules(
        quota_mb=environment.whole(
            "FLOPS_TAG_QUOTA_MB", 0, help="Disk for each tag without rules; 0 means no limit."
        ),
        retention_days=environment.whole(
            "FLOPS_RETENTION_DAYS", 0, help="How long data without rules are kept; 0 is for ever."
        ),
    )


def _doorkeeper(environment: Environment) -> Doorkeeper:
    token = environment.text(
        "FLOPS_DATA_SERVER_TOKEN", "", help="Token of the operator, who may do everything."
    )
    clients = environment.items(
        "FLOPS_DATA_SERVER_CLIENTS", (), help="Tokens of clients: name=token,name=token."
    )
    named = dict(one.partition("=")[::2] for one in clients)
    if not all(named) or not all(named.values()) or OPERATOR in named:
        # Not shown: a part of it is secret.
        raise BadSettingsError(
            "FLOPS_DATA_SERVER_CLIENTS is not of the form name=token,name=token",
            hint=f"Every client has a name and a token; '{OPERATOR}' is taken.",
        )
    return Doorkeeper(token, named)


def _mqtt(environment: Environment) -> MqttSettings | None:
    settings = MqttSettings(
        url=environment.text(
            "FLOPS_MQTT_URL", "", help="Broker that is told what this node holds; empty: none."
        ),
        password=environment.text(
            "FLOPS_MQTT_PASSWORD", "", help="Password of the user in FLOPS_MQTT_URL."
        ),
        ca_file=environment.text(
            "FLOPS_MQTT_CA_FILE", "", help="Certificate authority to trust with mqtts://."
        ),
    )
    return settings if settings.url else None

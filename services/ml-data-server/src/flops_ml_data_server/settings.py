"""What the data server is told; all of it has defaults, because NodeEngine passes nothing."""

from dataclasses import dataclass, field
from pathlib import Path

from flops_ml_data_server.uploads import Limits
from flops_runtime.environment import Environment
from flops_runtime.settings import ProcessSettings

FLIGHT_PORT = 11027
HTTP_PORT = 11028
CODECS = ("zstd", "lz4", "snappy", "none")


@dataclass(frozen=True)
class Settings:
    """The settings of one data server; ``token`` and TLS (PEM texts) are off when empty."""

    process: ProcessSettings
    volume: Path
    flight_port: int = FLIGHT_PORT
    codec: str = "zstd"
    limits: Limits = field(default_factory=Limits)
    token: str = field(default="", repr=False)
    tls_certificate: str = ""
    tls_key: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them all; raise ``BadSettingsError``."""
        settings = cls(
            process=ProcessSettings.from_env(
                environment, port_name="FLOPS_HTTP_PORT", default_port=HTTP_PORT
            ),
            volume=environment.path(
                "FLOPS_DATA_VOLUME", "/ml_data_server_volume", help="Folder of all fragments."
            ),
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
            token=environment.text(
                "FLOPS_DATA_SERVER_TOKEN", "", help="Token that every client must send."
            ),
            tls_certificate=environment.text(
                "FLOPS_TLS_CERTIFICATE", "", help="Certificate chain, PEM text; turns TLS on."
            ),
            tls_key=environment.text("FLOPS_TLS_KEY", "", help="Its key, PEM text."),
        )
        environment.check()
        return settings


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
    )

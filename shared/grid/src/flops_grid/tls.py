"""TLS between an aggregator and its learners, from certificate files in PEM format.

One rule for both ends: a certificate with its key says who one is, a CA says whom one believes. An
aggregator with a certificate speaks TLS; with a CA it lets in only who has a certificate of it. A
learner with a CA speaks TLS; with a certificate it shows that.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc

from flops_runtime.environment import BadSettingsError, Environment


@dataclass(frozen=True)
class TlsFiles:
    """Where the files are, empty for none; ``name`` is the aggregator's if not its address."""

    certificate: str = ""
    key: str = ""
    ca: str = ""
    name: str = ""

    @classmethod
    def from_env(cls, environment: Environment) -> Self:
        """Read them; the caller calls ``environment.check()``."""
        return cls(
            certificate=environment.text(
                "FLOPS_GRID_TLS_CERTIFICATE", "", help="Own certificate for the grid: a PEM file."
            ),
            key=environment.text("FLOPS_GRID_TLS_KEY", "", help="Its key: a PEM file."),
            ca=environment.text(
                "FLOPS_GRID_TLS_CA", "", help="Whose certificates to believe: a PEM file."
            ),
            name=environment.text(
                "FLOPS_GRID_TLS_NAME", "", help="Name in the aggregator's certificate."
            ),
        )

    def server_credentials(self) -> grpc.ServerCredentials | None:
        """Return what an aggregator listens with, None for no TLS; raise ``BadSettingsError``."""
        own = self._own()
        if not own:
            if self.ca:
                raise BadSettingsError("an aggregator with FLOPS_GRID_TLS_CA needs a certificate")
            return None
        certificate, key = own
        return grpc.ssl_server_credentials(
            [(key, certificate)], _read(self.ca), require_client_auth=bool(self.ca)
        )

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Return what a learner dials with, None for no TLS; raise ``BadSettingsError``."""
        own = self._own()
        if not self.ca:
            if own:
                raise BadSettingsError("a certificate for the grid needs FLOPS_GRID_TLS_CA, too")
            return None
        certificate, key = own or (None, None)
        return grpc.ssl_channel_credentials(_read(self.ca), key, certificate)

    def _own(self) -> tuple[bytes, bytes] | None:
        certificate, key = _read(self.certificate), _read(self.key)
        if (certificate is None) != (key is None):
            raise BadSettingsError(
                "FLOPS_GRID_TLS_CERTIFICATE and FLOPS_GRID_TLS_KEY need each other"
            )
        return (certificate, key) if certificate and key else None


def _read(file: str) -> bytes | None:
    if not file:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadSettingsError(f"cannot read {file}: {error.strerror}") from error

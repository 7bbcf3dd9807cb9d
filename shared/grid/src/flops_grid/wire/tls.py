"""TLS between an aggregator and its clients, from certificates in PEM format.

An aggregator with a certificate uses TLS; with a CA it admits only clients that have a certificate
of that CA. A client with a CA uses TLS; with a certificate it presents that. Each is a file, or the
text itself on one line: ``pem:`` and its Base64.
"""

from base64 import b64decode
from pathlib import Path
from typing import Final

import grpc

from flops_contracts.access import GridIdentity
from flops_runtime.environment import BadSettingsError

INLINE: Final = "pem:"


class TlsFiles(GridIdentity):
    """The certificates of one peer, as gRPC wants them."""

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
                "FLOPS_GRID_TLS_CERTIFICATE and FLOPS_GRID_TLS_KEY must be set together"
            )
        return (certificate, key) if certificate and key else None


def _read(file: str) -> bytes | None:
    if not file:
        return None
    if file.startswith(INLINE):
        try:
            return b64decode(file.removeprefix(INLINE), validate=True)
        except ValueError as error:
            raise BadSettingsError(
                "a certificate or key for the grid is not valid Base64"
            ) from error
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadSettingsError(f"cannot read {file}: {error.strerror}") from error

"""The error of an address that a process cannot listen on."""

from collections.abc import Iterator
from contextlib import contextmanager

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode


class PortTakenError(FlopsError):
    """Another process listens there, or the address is none of this machine's."""

    exit_code = ExitCode.BAD_SETTINGS


@contextmanager
def listening_on(address: tuple[str, int], setting: str) -> Iterator[None]:
    """Run a block that binds ``address``, whose port is set by ``setting``.

    An ``OSError`` of the block becomes a ``PortTakenError`` that names both.
    """
    try:
        yield
    except OSError as error:
        raise PortTakenError(
            f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}",
            hint=f"End what listens there, or set {setting} or FLOPS_BIND_ADDRESS.",
        ) from error

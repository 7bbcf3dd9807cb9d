"""The suite's loopback network: a /16 of 127.0.0.0/8 in which all of its ports are free."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from flops_cli.errors import LocalSuiteError

OAKESTRA_PORT: Final = 10000
HOOKS_PORT: Final = 11011
"""The root's port for registering webhooks."""

HOOK_PORT: Final = 5075
"""The manager's port for the root's webhook calls."""

API_PORT: Final = 5072
BROKER_PORT: Final = 9027
STORE_PORT: Final = 10027
DATA_PORT: Final = 11027

CANDIDATES: Final = tuple(f"127.{second}" for second in range(30, 60))


@dataclass(frozen=True)
class Network:
    """The addresses of a suite; ``prefix`` is their first half, such as 127.30."""

    prefix: str

    @property
    def address(self) -> str:
        """The address of the suite's own processes; the orchestrator's services have others."""
        return f"{self.prefix}.0.1"

    @property
    def oakestra_url(self) -> str:
        """The address of the root orchestrator."""
        return f"http://{self.address}:{OAKESTRA_PORT}"

    @property
    def api_url(self) -> str:
        """The address of the manager."""
        return f"http://{self.address}:{API_PORT}"

    @property
    def mongo_url(self) -> str:
        """The address of the store."""
        return f"mongodb://{self.address}:{STORE_PORT}"

    def has_data_servers(self, nodes: Iterable[int]) -> bool:
        """Return whether the data servers of ``nodes``, counted from 1, accept connections."""
        return all(is_listening(f"{self.prefix}.1.{number}", DATA_PORT) for number in nodes)

    def data_server(self, node: int) -> str:
        """Return the address of a node's data server; nodes count from 1."""
        return f"{self.prefix}.1.{node}:{DATA_PORT}"


def candidates_of(prefix: str) -> tuple[str, ...]:
    """Return the networks to try, only ``prefix`` if it is set; raise ``LocalSuiteError``."""
    if not prefix:
        return CANDIDATES
    first, _, second = prefix.partition(".")
    if first != "127" or not (second.isascii() and second.isdigit() and int(second) <= 255):
        raise LocalSuiteError(
            f"FLOPS_LOCAL_NETWORK is '{prefix}', which is not a network of the loopback",
            hint="Set two octets, such as 127.40, or unset it to get the first unused one.",
        )
    return (prefix,)


@contextmanager
def reserved_network(candidates: tuple[str, ...] = CANDIDATES) -> Iterator[Network]:
    """Yield the first unused network and reserve it meanwhile; raise ``LocalSuiteError`` if none.

    Two suites that start at the same moment get two networks, although neither listens yet.
    """
    with socket.socket(socket.AF_UNIX) as reservation:
        yield _first_unused(candidates, reservation)


def _first_unused(candidates: tuple[str, ...], reservation: socket.socket) -> Network:
    for prefix in candidates:
        network = Network(prefix)
        ports = (OAKESTRA_PORT, API_PORT, BROKER_PORT, STORE_PORT)
        if all(_is_free(network.address, port) for port in ports) and _reserve(prefix, reservation):
            return network
    if len(candidates) == 1:
        raise LocalSuiteError(
            f"the network {candidates[0]} of FLOPS_LOCAL_NETWORK is in use",
            hint=f"See who listens on {candidates[0]}.0.1, or unset FLOPS_LOCAL_NETWORK.",
        )
    raise LocalSuiteError(
        f"no free network on the loopback between {candidates[0]} and {candidates[-1]}",
        hint=f"Other suites may be running; see who listens on {candidates[0]}.0.1:{API_PORT}.",
    )


def _reserve(prefix: str, reservation: socket.socket) -> bool:
    """Bind a name without a file, which disappears with the process, like the network's ports."""
    try:
        reservation.bind(f"\0flops-network-{prefix}")
    except OSError:
        return False
    return True


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # Like the servers, so that a port whose last connection just ended counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def is_listening(address: str, port: int) -> bool:
    """Return whether a server accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0

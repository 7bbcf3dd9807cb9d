"""A loopback network of our own: a /16 below 127.0.0.0/8 in which all of our ports are free."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flops_cli.errors import LocalSuiteError

OAKESTRA_PORT: Final = 10000
HOOKS_PORT: Final = 11011
"""Where the root is told who wants to hear of changes."""

HOOK_PORT: Final = 5075
"""Where the manager hears of them."""

API_PORT: Final = 5072
BROKER_PORT: Final = 9027
STORE_PORT: Final = 10027
DATA_PORT: Final = 11027

CANDIDATES: Final = tuple(f"127.{second}" for second in range(30, 60))


@dataclass(frozen=True)
class Network:
    """The addresses of a world; ``prefix`` is its first half, such as 127.30."""

    prefix: str

    @property
    def address(self) -> str:
        """Where everything that is no service of the orchestrator listens."""
        return f"{self.prefix}.0.1"

    @property
    def oakestra_url(self) -> str:
        """The root orchestrator."""
        return f"http://{self.address}:{OAKESTRA_PORT}"

    @property
    def api_url(self) -> str:
        """The manager."""
        return f"http://{self.address}:{API_PORT}"

    @property
    def mongo_url(self) -> str:
        """The store."""
        return f"mongodb://{self.address}:{STORE_PORT}"

    def has_data_servers(self, nodes: Iterable[int]) -> bool:
        """Say whether the data servers of ``nodes``, counted from 1, accept connections."""
        return all(is_listening(f"{self.prefix}.1.{number}", DATA_PORT) for number in nodes)

    def data_server(self, node: int) -> str:
        """Return the data server of a node; nodes count from 1."""
        return f"{self.prefix}.1.{node}:{DATA_PORT}"


def find_network(candidates: tuple[str, ...] = CANDIDATES) -> Network:
    """Return the first network that nobody uses; raise ``LocalSuiteError`` if all are taken."""
    for prefix in candidates:
        network = Network(prefix)
        ports = (OAKESTRA_PORT, API_PORT, BROKER_PORT, STORE_PORT)
        if all(_is_free(network.address, port) for port in ports):
            return network
    raise LocalSuiteError(
        f"no free network on the loopback between {candidates[0]} and {candidates[-1]}",
        hint=f"Who listens on {candidates[0]}.0.1:{API_PORT}? Another suite may still run.",
    )


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it: a port whose last connection just ended counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def is_listening(address: str, port: int) -> bool:
    """Say whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0

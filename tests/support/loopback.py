"""Ports and networks of the loopback interface that no other process of the tests uses.

Several processes run tests at once. Each holds a block of ports and one of networks for as long as
it lives, by a lock on a file, and hands out only what is free in its own.
"""

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import IO, Final

_LOCKS: Final = Path(tempfile.gettempdir()) / f"flops-tests-{os.getuid()}"
_FIRST_PORT: Final = 12_000
"""Below the range from which systems choose the port of one who asks for any."""

_PORTS: Final = 100
_PORT_BLOCKS: Final = 200
_FIRST_NETWORK: Final = 60
_NETWORKS: Final = 5
_NETWORK_BLOCKS: Final = 38
_ROOT_PORT: Final = 10_000
_held: Final[list[IO[str]]] = []


def free_port(address: str = "127.0.0.1") -> int:
    """Return a free port that no other process is given."""
    ports = _own_ports()
    for _ in range(_PORTS):
        port = next(ports)
        if _is_free(address, port):
            return port
    raise AssertionError(f"all {_PORTS} ports of this process are in use")


def free_network() -> str:
    """Return the first two octets of a network where no root listens and no other process is."""
    networks = _own_networks()
    for _ in range(_NETWORKS):
        network = f"127.{next(networks)}"
        if _is_free(f"{network}.0.1", _ROOT_PORT):
            return network
    raise AssertionError(f"all {_NETWORKS} loopback networks of this process are in use")


def is_listening(port: int, address: str = "127.0.0.1") -> bool:
    """Return whether connections to it are accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: a port whose last connection just ended counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


@cache
def _own_ports() -> "cycle[int]":
    first = _FIRST_PORT + _PORTS * _claimed_block("ports", _PORT_BLOCKS)
    return cycle(range(first, first + _PORTS))


@cache
def _own_networks() -> "cycle[int]":
    first = _FIRST_NETWORK + _NETWORKS * _claimed_block("networks", _NETWORK_BLOCKS)
    return cycle(range(first, first + _NETWORKS))


def _claimed_block(kind: str, blocks: int) -> int:
    """Return the number of a block that is this process's until it ends."""
    _LOCKS.mkdir(exist_ok=True)
    for number in random.sample(range(blocks), blocks):
        file = (_LOCKS / f"{kind}-{number}").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        _held.append(file)
        return number
    raise AssertionError(f"other processes hold all {blocks} blocks of {kind}")

"""Ports of services that their node publishes."""

import re
from dataclasses import dataclass
from typing import Final

_ENTRY: Final = re.compile(r"(?P<host>\d{1,5})(:(?P<inside>\d{1,5}))?(/(?P<protocol>tcp|udp))?")


class UnusablePortError(ValueError):
    """An SLA's ``port`` is invalid; the message becomes the instance's status detail."""


@dataclass(frozen=True)
class PublishedPort:
    """Port ``host`` at ``address`` of the machine, forwarded to port ``inside`` of an instance."""

    address: str
    host: int
    inside: int
    protocol: str = "tcp"


def read_ports(text: str, address: str) -> tuple[PublishedPort, ...]:
    """Return the ports in an SLA's ``port``: ``host[:inside][/tcp|/udp]``, joined by ``;``."""
    return tuple(_port(entry.strip(), address) for entry in text.split(";") if entry.strip())


def clash(port: PublishedPort, other: PublishedPort) -> bool:
    """Return whether both use the same port of the machine."""
    return (port.host, port.protocol) == (other.host, other.protocol)


def _port(entry: str, address: str) -> PublishedPort:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise UnusablePortError(f"port '{entry}' is not like 8080, 8080:80 or 8080:80/udp")
    host = int(match["host"])
    inside = int(match["inside"] or host)
    if not (0 < host < 65536 and 0 < inside < 65536):
        raise UnusablePortError(f"port '{entry}' is not between 1 and 65535")
    return PublishedPort(address, host, inside, match["protocol"] or "tcp")

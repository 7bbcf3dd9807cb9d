"""One way to make an HTTP session, for the manager, the root and the served model."""

import ipaddress
from urllib.parse import urlsplit

import requests


def session_for(url: str) -> requests.Session:
    """Return a session; a proxy of the surroundings never stands before our own loopback."""
    session = requests.Session()
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    return session


def is_loopback(host: str) -> bool:
    """Say whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

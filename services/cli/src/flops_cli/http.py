"""HTTP sessions for the manager, the root and the served model."""

import ipaddress
from http.client import BadStatusLine, RemoteDisconnected
from urllib.parse import urlsplit

import requests


def session_for(url: str) -> requests.Session:
    """Return a session that never uses the environment's proxy for the loopback."""
    session = requests.Session()
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    return session


def cause_of(error: requests.RequestException) -> str:
    """Return why a request failed, without the wrapping errors of the libraries."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", inner)).rpartition(": ")[2]


def is_not_http(error: requests.RequestException) -> bool:
    """Return whether something was reached that does not answer with HTTP."""
    inner: object = error
    while isinstance(inner, Exception):
        if isinstance(inner, BadStatusLine):
            return not isinstance(inner, RemoteDisconnected)
        inner = inner.args[-1] if inner.args else None
    return False


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

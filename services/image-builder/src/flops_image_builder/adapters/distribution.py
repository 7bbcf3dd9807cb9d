"""The registry API: manifests and blobs, without unpacking layers.

Tokens are requested where a registry demands them; transient failures are retried.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import IOBase
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import urljoin

import requests

from flops_image_builder.adapters.refusals import (
    PATIENT,
    ImageAbsentError,
    Patience,
    TransientError,
    store_error,
)

T = TypeVar("T")

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_LIST: Final = "application/vnd.oci.image.index.v1+json"
_ACCEPTED: Final = (MANIFEST, LIST, "application/vnd.oci.image.manifest.v1+json", OCI_LIST)
_HOSTS: Final = {"docker.io": "registry-1.docker.io"}
_OPTION = re.compile(r'(\w+)="([^"]*)"')
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})
_CREATED: Final = 201
_CHUNK: Final = 1 << 20
TIMEOUT_SECONDS: Final = (10.0, 120.0)
"""To connect, and for each read."""


@dataclass(frozen=True)
class Place:
    """A repository of a registry."""

    host: str
    repository: str


def place_of(reference: str) -> tuple[Place, str]:
    """Return where an image is, and its digest or tag there."""
    name, at, digest = reference.partition("@")
    host, _, path = name.partition("/")
    repository, _, tag = path.partition(":")
    return Place(host, repository), digest if at else tag or "latest"


class Distribution:
    """A client of registries; ``logins`` are base64 ``user:password`` by host.

    ``plain`` are the hosts that are reached without TLS. Every method raises ``ImageStoreError``,
    and ``ImageAbsentError`` for a missing manifest or blob.
    """

    def __init__(
        self,
        logins: Mapping[str, str],
        plain: frozenset[str] = frozenset(),
        patience: Patience = PATIENT,
    ) -> None:
        self._logins = logins
        self._plain = plain
        self._patience = patience
        self._tokens: dict[Place, str] = {}
        self._session = requests.Session()
        # The authorities that the other programs of this machine trust.
        self._session.verify = ssl.get_default_verify_paths().cafile or True

    def manifest(self, place: Place, reference: str) -> bytes:
        """Return a manifest or list, as stored."""
        headers = {"Accept": ", ".join(_ACCEPTED)}
        return self._call("GET", place, f"manifests/{reference}", headers=headers).content

    def put_manifest(self, place: Place, reference: str, content: bytes, kind: str) -> None:
        """Store a manifest or list under ``reference``."""
        headers = {"Content-Type": kind}
        self._call("PUT", place, f"manifests/{reference}", headers=headers, data=content)

    def blob(self, place: Place, digest: str) -> bytes:
        """Return a small blob, such as a configuration."""
        return self._call("GET", place, f"blobs/{digest}").content

    def download(self, place: Place, digest: str, target: Path) -> None:
        """Write a blob of any size into a file, and verify its digest."""

        def receive() -> None:
            answer = self._attempt("GET", place, f"blobs/{digest}", stream=True)
            with answer, target.open("wb") as file:
                received = _write(answer, file)
            if received != digest:
                target.unlink()
                raise TransientError(f"{digest} arrived as {received}")

        self._retrying(f"downloading a layer of {place.host}/{place.repository}", receive)

    def mount(self, place: Place, digest: str, source: Place) -> bool:
        """Mount a blob of ``source`` in ``place``; return whether the registry did it."""
        options = {"mount": digest, "from": source.repository}
        answer = self._call("POST", place, "blobs/uploads/", params=options)
        return answer.status_code == _CREATED

    def upload(self, place: Place, digest: str, file: Path) -> None:
        """Store a blob, unless the registry has it."""

        def send() -> None:
            try:
                self._attempt("HEAD", place, f"blobs/{digest}")
            except ImageAbsentError:
                session = self._attempt("POST", place, "blobs/uploads/")
                target = urljoin(session.url, session.headers["Location"])
                headers = {"Content-Type": "application/octet-stream"}
                with file.open("rb") as data:
                    more: dict[str, Any] = {"params": {"digest": digest}, "data": data}
                    self._attempt("PUT", place, target, headers=headers, **more)

        self._retrying(f"pushing a layer to {place.host}/{place.repository}", send)

    def _call(self, method: str, place: Place, path: str, **more: Any) -> requests.Response:
        what = f"{method} {place.host}/{place.repository}/{path}"
        return self._retrying(what, lambda: self._attempt(method, place, path, **more))

    def _retrying(self, what: str, work: Callable[[], T]) -> T:
        try:
            return self._patience.retrying(what)(work)
        except TransientError as error:
            raise store_error(what, str(error)) from error

    def _attempt(self, method: str, place: Place, path: str, **more: Any) -> requests.Response:
        scheme = "http" if place.host in self._plain else "https"
        host = _HOSTS.get(place.host, place.host)
        url = urljoin(f"{scheme}://{host}/v2/{place.repository}/", path)
        try:
            answer = self._send(method, place, url, more)
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status_code == requests.codes.unauthorized and challenge.startswith("Bearer"):
                self._tokens[place] = self._token(place, dict(_OPTION.findall(challenge)))
                if isinstance(more.get("data"), IOBase):
                    more["data"].seek(0)
                answer = self._send(method, place, url, more)
        except requests.exceptions.SSLError as error:
            raise store_error(f"reaching the registry {place.host}", str(error)) from error
        except requests.exceptions.RequestException as error:
            raise TransientError(_innermost_reason(error)) from error
        if answer.status_code == requests.codes.not_found:
            raise ImageAbsentError(_message(answer))
        if answer.status_code in _TRANSIENT:
            raise TransientError(_message(answer))
        if not answer.ok:
            raise store_error(f"{method} {place.host}/{place.repository}", _message(answer))
        return answer

    def _send(
        self, method: str, place: Place, url: str, more: Mapping[str, Any]
    ) -> requests.Response:
        login = self._logins.get(place.host)
        basic = f"Basic {login}" if login else ""
        token = self._tokens.get(place)
        authorization = f"Bearer {token}" if token else basic
        own = {"Authorization": authorization} if authorization else {}
        options = {**more, "headers": {**more.get("headers", {}), **own}}
        return self._session.request(method, url, timeout=TIMEOUT_SECONDS, **options)

    def _token(self, place: Place, challenge: Mapping[str, str]) -> str:
        """Request a token where the registry says; anonymously without a login."""
        login = self._logins.get(place.host)
        headers = {"Authorization": f"Basic {login}"} if login else {}
        scope = {key: challenge[key] for key in ("service", "scope") if key in challenge}
        answer = self._session.get(
            challenge.get("realm", ""), params=scope, headers=headers, timeout=TIMEOUT_SECONDS
        )
        if not answer.ok:
            raise store_error(f"asking {place.host} for a token", _message(answer))
        document = answer.json()
        return str(document.get("token") or document.get("access_token") or "")


def _write(answer: requests.Response, file: BinaryIO) -> str:
    """Write the body and return its digest; a broken connection is a transient failure."""
    sha = sha256()
    try:
        for chunk in answer.iter_content(_CHUNK):
            sha.update(chunk)
            file.write(chunk)
    except requests.exceptions.RequestException as error:
        raise TransientError(_innermost_reason(error)) from error
    return f"sha256:{sha.hexdigest()}"


def _message(answer: requests.Response) -> str:
    """Return the status and the registry's message, on one line."""
    text = " ".join(answer.text.split())[:300]
    return f"{answer.status_code} {answer.reason}" + (f": {text}" if text else "")


def _innermost_reason(error: Exception) -> str:
    """Return the innermost message; those around it only name classes of requests."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return str(error)

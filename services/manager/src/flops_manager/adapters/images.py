"""Built images in a registry, by its HTTP API, or in the image store of the embedded mode."""

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from flops_contracts.build_records import (
    FOLDER,
    LABEL,
    REPOSITORY,
    BuildResult,
    images_of,
    result_from_text,
)
from flops_contracts.bundles import read_bundle
from flops_contracts.envelope import MalformedMessageError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = (2.0, 5.0)
_MANIFESTS: Final = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
_REFERENCE = re.compile(r"^[^/]+/(?P<path>.+):(?P<tag>[^:/]+)$")


@dataclass(frozen=True)
class RegistryAddress:
    """A registry: ``host:port``, an account, and TLS by ``ca_file`` or the system's CAs."""

    address: str
    user: str = ""
    password: str = field(default="", repr=False)
    has_tls: bool = True
    ca_file: str = ""


class RegistryImages:
    """``Images`` of a registry."""

    def __init__(self, registry: RegistryAddress) -> None:
        scheme = "https" if registry.has_tls else "http"
        self._url = f"{scheme}://{registry.address}/v2"
        self._auth = (registry.user, registry.password) if registry.user else None
        self._verify: str | bool = registry.ca_file or True

    def built(self, note: str) -> BuildResult | None:
        """See the port."""
        try:
            manifest = self._get(f"{REPOSITORY}/manifests/{note}")
            if manifest is None:
                return None
            config = self._get(f"{REPOSITORY}/blobs/{manifest['config']['digest']}")
            text = config["config"]["Labels"][LABEL] if config else ""
            result = result_from_text(text)
            return result if all(self._has(image) for image in images_of(result)) else None
        except (requests.RequestException, MalformedMessageError, KeyError, TypeError) as error:
            logger.warning("cannot look up built images in the registry: %s", error)
            return None

    def _has(self, reference: str) -> bool:
        parts = _REFERENCE.match(reference)
        if parts is None:
            return False
        return self._get(f"{parts['path']}/manifests/{parts['tag']}") is not None

    def _get(self, path: str) -> Any:
        """Return the JSON at ``path``, or None for 404."""
        answer = requests.get(
            f"{self._url}/{path}",
            headers={"Accept": ", ".join(_MANIFESTS)},
            auth=self._auth,
            verify=self._verify,
            timeout=TIMEOUT_SECONDS,
        )
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        return answer.json()


class StoredImages:
    """``Images`` of a local image store."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def built(self, note: str) -> BuildResult | None:
        """See the port."""
        try:
            result = result_from_text((self._store / FOLDER / note).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, MalformedMessageError) as error:
            logger.warning("cannot look up built images in the image store: %s", error)
            return None
        bundles = (read_bundle(self._store, image) for image in images_of(result))
        is_complete = all(bundle and Path(bundle.argv[0]).exists() for bundle in bundles)
        return result if is_complete else None

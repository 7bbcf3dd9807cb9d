"""The registry of built images and of their bases."""

import base64
import json
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from flops_contracts.access import RegistryAccess
from flops_contracts.declared import about, declared
from flops_image_builder.adapters.distribution import Distribution, Place, place_of
from flops_image_builder.adapters.refusals import PATIENT, ImageAbsentError, Patience
from flops_image_builder.domain.errors import ImageStoreError


@dataclass(frozen=True, kw_only=True)
class RegistrySettings(RegistryAccess):
    """The name that images begin with, and how their registry is reached from here."""

    name: str = field(
        metadata=about(
            "host:port that the references of built images begin with.", "FLOPS_IMAGE_REGISTRY"
        )
    )
    auth_file: str = declared(
        "", "Credentials as 'skopeo login' writes them.", "FLOPS_REGISTRY_AUTH_FILE"
    )
    patience: Patience = PATIENT

    def here(self, reference: str) -> str:
        """Return the reference by which the builder reaches one of the registry's images."""
        address = self.address or self.name
        if reference.startswith(f"{self.name}/"):
            return address + reference.removeprefix(self.name)
        return reference

    @property
    def hosts(self) -> tuple[str, ...]:
        """The registry by all its names, without paths."""
        names = (self.name, self.address)
        return tuple(dict.fromkeys(name.partition("/")[0] for name in names if name))


def logins_of(settings: RegistrySettings) -> dict[str, str]:
    """Return the builder's credentials by host."""
    if settings.user:
        login = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
        return dict.fromkeys(settings.hosts, login)
    if not settings.auth_file:
        return {}
    try:
        document = json.loads(Path(settings.auth_file).read_text(encoding="utf-8"))
        entries = document.get("auths", {}).items()
        return {host: entry["auth"] for host, entry in entries if entry.get("auth")}
    except (OSError, ValueError, AttributeError) as error:
        raise ImageStoreError(
            f"the authfile {settings.auth_file} cannot be read: {error}",
            hint="FLOPS_REGISTRY_AUTH_FILE must name a file such as 'skopeo login' writes.",
        ) from error


def variables_of(settings: RegistrySettings, folder: Path) -> dict[str, str]:
    """Write the credentials into ``folder``; return the variables that point programs to them."""
    auth_file = settings.auth_file
    if settings.user:
        logins = logins_of(settings).items()
        file = folder / "auth.json"
        file.touch(mode=0o600)
        document = {"auths": {host: {"auth": login} for host, login in logins}}
        file.write_text(json.dumps(document), encoding="utf-8")
        auth_file = str(file)
    return {"REGISTRY_AUTH_FILE": auth_file} if auth_file else {}


@dataclass(frozen=True)
class RemoteImage:
    """The manifest and configuration of an image in a registry, for one platform."""

    place: Place
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The manifest's entries for the layers, the lowest first."""
        return list(self.manifest["layers"])

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the image."""
        return self.config["config"].get("Labels") or {}

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its processes."""
        lines = self.config["config"].get("Env") or []
        return dict(line.split("=", 1) for line in lines)


class Registry:
    """Images in a registry, read through ``distribution``."""

    def __init__(self, distribution: Distribution, settings: RegistrySettings) -> None:
        self.distribution = distribution
        self._settings = settings

    @property
    def address(self) -> str:
        """The prefix of image references, as the builder reaches them."""
        return self._settings.address or self._settings.name

    def verify(self, reference: str) -> str:
        """Return buildah's option for TLS to the registry of an image.

        The setting is about our own registry only: base images may come from anywhere.
        """
        is_own = reference.partition("/")[0] in self._settings.hosts
        return f"--tls-verify={str(self._settings.tls or not is_own).lower()}"

    def here(self, reference: str) -> str:
        """Return the reference by which the builder reaches an image."""
        return self._settings.here(reference)

    def digest(self, reference: str) -> str:
        """Return the digest of an image's manifest or list; raise ``ImageAbsentError``."""
        return f"sha256:{sha256(self.distribution.manifest(*place_of(reference))).hexdigest()}"

    def has(self, reference: str) -> bool:
        """Return whether the registry has an image."""
        try:
            self.digest(reference)
        except ImageAbsentError:
            return False
        return True

    def image(self, reference: str, platform: str) -> RemoteImage:
        """Return an image; raise ``ImageAbsentError``."""
        place, name = place_of(reference)
        try:
            manifest = json.loads(self.distribution.manifest(place, name))
            if "manifests" in manifest:
                digest = _digest_for(platform, manifest, reference)
                manifest = json.loads(self.distribution.manifest(place, digest))
            config = json.loads(self.distribution.blob(place, manifest["config"]["digest"]))
            return RemoteImage(place, manifest, config)
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable(reference, error) from error

    def copy_last_layer(self, reference: str, platform: str, folder: Path) -> None:
        """Copy FLOps' files in the last layer of an actor's image into ``folder``."""
        try:
            image = self.image(reference, platform)
            root = PurePosixPath(image.labels["flops.code"]).parent
            folder.mkdir(parents=True, exist_ok=True)
            layer = folder / "layer"
            self.distribution.download(image.place, image.layers[-1]["digest"], layer)
            _extract(layer, root, folder)
        except ImageAbsentError as error:
            raise ImageStoreError(
                f"the image {reference} is not in the registry",
                hint="Retry the project from the start, so that its actors are built again.",
            ) from error
        except (OSError, KeyError, tarfile.TarError) as error:
            raise unreadable(reference, error) from error


def unreadable(reference: str, error: Exception) -> ImageStoreError:
    """Return the error for an image with unexpected content."""
    return ImageStoreError(
        f"the image {reference} cannot be read: {error!r}",
        hint="Delete it in the registry, then retry the project from the start.",
    )


def _digest_for(platform: str, index: Mapping[str, Any], reference: str) -> str:
    for entry in index["manifests"]:
        target = entry.get("platform", {})
        if f"{target.get('os')}/{target.get('architecture')}" == platform:
            return str(entry["digest"])
    raise ImageAbsentError(f"{reference} is not available for {platform}")


def _extract(layer: Path, root: PurePosixPath, folder: Path) -> None:
    """Extract the files below ``root``; links and paths that lead elsewhere are left out."""
    with tarfile.open(layer) as archive:
        for member in archive:
            path = PurePosixPath("/") / member.name
            content = archive.extractfile(member) if member.isreg() else None
            if content is None or ".." in path.parts or not path.is_relative_to(root):
                continue
            target = folder / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)

"""The registry of built images and of their bases: how it is reached, and what it is asked."""

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
    """How images are called (``name``), and how their registry is reached from here."""

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
    """Return what proves who the builder is, by host."""
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
            hint="FLOPS_REGISTRY_AUTH_FILE names a file as 'skopeo login' writes it.",
        ) from error


def variables_of(settings: RegistrySettings, folder: Path) -> dict[str, str]:
    """Write the credentials into ``folder`` for programs; return the variables that say so."""
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
    """What an image in a registry is made of, for one platform; nothing of it is unpacked."""

    place: Place
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The manifest's words on each layer, the lowest first."""
        return list(self.manifest["layers"])

    @property
    def labels(self) -> Mapping[str, str]:
        """What the image says of itself."""
        return self.config["config"].get("Labels") or {}

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its processes."""
        lines = self.config["config"].get("Env") or []
        return dict(line.split("=", 1) for line in lines)


class Registry:
    """Asks a registry; ``distribution`` speaks to it."""

    def __init__(self, distribution: Distribution, settings: RegistrySettings) -> None:
        self.distribution = distribution
        self._settings = settings

    @property
    def address(self) -> str:
        """What the references of images begin with, as the builder reaches them."""
        return self._settings.address or self._settings.name

    def verify(self, reference: str) -> str:
        """Return how programs are told whether the registry of an image must speak TLS.

        It is said of our own registry only: base images may come from anywhere.
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
        """Say whether an image is there."""
        try:
            self.digest(reference)
        except ImageAbsentError:
            return False
        return True

    def image(self, reference: str, platform: str) -> RemoteImage:
        """Return what an image is made of; raise ``ImageAbsentError``."""
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
        """Put what the last layer of an actor's image holds of FLOps into ``folder``."""
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
    """Return the error for an image that is not what it should be."""
    return ImageStoreError(
        f"the image {reference} cannot be read: {error!r}",
        hint="Delete it in the registry, then retry the project from the start.",
    )


def _digest_for(platform: str, index: Mapping[str, Any], reference: str) -> str:
    for entry in index["manifests"]:
        about = entry.get("platform", {})
        if f"{about.get('os')}/{about.get('architecture')}" == platform:
            return str(entry["digest"])
    raise ImageAbsentError(f"{reference} is not made for {platform}")


def _extract(layer: Path, root: PurePosixPath, folder: Path) -> None:
    """Take the files below ``root``; links and whatever points elsewhere are left out."""
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

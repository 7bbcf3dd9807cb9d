"""An image registry, through skopeo; credentials travel in a file, never in an argument."""

import base64
import json
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath

from flops_image_builder.adapters.buildah import Buildah, ImageAbsentError
from flops_image_builder.domain.errors import ImageStoreError


@dataclass(frozen=True)
class RegistrySettings:
    """How images are called (``name``), and how their registry is reached from here."""

    name: str
    address: str = ""
    tls: bool = True
    auth_file: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

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


def variables_of(settings: RegistrySettings, folder: Path) -> dict[str, str]:
    """Write the credentials into ``folder``; return the variables that say so."""
    auth_file = settings.auth_file
    if settings.user:
        login = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
        document = {"auths": {host: {"auth": login} for host in settings.hosts}}
        file = folder / "auth.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(document), encoding="utf-8")
        auth_file = str(file)
    return {"REGISTRY_AUTH_FILE": auth_file} if auth_file else {}


class Registry:
    """Asks a registry, and copies from it what need not be unpacked."""

    def __init__(self, buildah: Buildah, settings: RegistrySettings) -> None:
        self._buildah = buildah
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
        argv = ["skopeo", "inspect", "--raw", self.verify(reference), f"docker://{reference}"]
        text = self._buildah.transfer(f"asking the registry for {reference}", argv)
        return f"sha256:{sha256(text.encode()).hexdigest()}"

    def has(self, reference: str) -> bool:
        """Say whether an image is there."""
        try:
            self.digest(reference)
        except ImageAbsentError:
            return False
        return True

    def copy_last_layer(self, reference: str, platform: str, folder: Path) -> None:
        """Put what the last layer of an actor's image holds of FLOps into ``folder``."""
        layers = folder / "layers"
        layers.mkdir(parents=True)
        architecture = platform.partition("/")[2]
        argv = ["skopeo", "--override-os", "linux", "--override-arch", architecture]
        argv += [
            "copy",
            "--quiet",
            f"--src-{self.verify(reference)[2:]}",
            f"docker://{reference}",
            f"dir:{layers}",
        ]
        try:
            self._buildah.transfer(f"copying {reference}", argv)
            manifest = json.loads((layers / "manifest.json").read_text(encoding="utf-8"))
            config = json.loads(_blob(layers, manifest["config"]).read_text(encoding="utf-8"))
            root = PurePosixPath(config["config"]["Labels"]["flops.code"]).parent
            _extract(_blob(layers, manifest["layers"][-1]), root, folder)
        except ImageAbsentError as error:
            raise ImageStoreError(
                f"the image {reference} is not in the registry",
                hint="Retry the project from the start, so that its actors are built again.",
            ) from error
        except (OSError, KeyError, TypeError, ValueError, tarfile.TarError) as error:
            raise ImageStoreError(
                f"the image {reference} cannot be read: {error}",
                hint="Delete it in the registry, then retry the project from the start.",
            ) from error


def _blob(layers: Path, entry: Mapping[str, str]) -> Path:
    return layers / entry["digest"].removeprefix("sha256:")


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

"""Assembles images in the registry: a layer of files on top of an existing image.

The layers below are referenced, not downloaded, so the time depends on the new files only. Each
manifest is pushed after everything it refers to, and the tag last: half an image has no name.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from flops_image_builder.adapters.distribution import LIST, MANIFEST, Place, place_of
from flops_image_builder.adapters.layers import Layer, write_layer
from flops_image_builder.adapters.registry import Registry, RemoteImage
from flops_image_builder.domain.recipes import Recipe

CONFIG: Final = "application/vnd.docker.container.image.v1+json"
LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
NO_TIME: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Assembled:
    """An image for one platform that has not been pushed yet."""

    platform: str
    below: RemoteImage
    layer: Layer
    config: Path
    manifest: bytes


class Assembly:
    """Carries out recipes that only copy files; ``folder`` is temporary."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry = registry
        self._distribution = registry.distribution
        self._folder = folder

    def assemble(self, recipe: Recipe, below: RemoteImage) -> Assembled:
        """Make the new layer, its configuration and its manifest."""
        folder = self._folder / sha256(f"{recipe.reference} {recipe.platform}".encode()).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)
        layer = write_layer(folder / "layer", recipe.root, recipe.folders, recipe.files)
        config = folder / "config"
        config.write_bytes(_json(_configuration(recipe, below, layer)))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _entry(CONFIG, config.read_bytes()),
            "layers": [
                *below.layers,
                {"mediaType": LAYER, "size": layer.size, "digest": layer.digest},
            ],
        }
        return Assembled(recipe.platform, below, layer, config, _json(manifest))

    def push(self, reference: str, images: Sequence[Assembled]) -> None:
        """Store the images of all platforms, then the list of them under ``reference``."""
        place, tag = place_of(reference)
        entries = []
        for image in images:
            for entry in image.below.layers:
                self._provide(place, entry["digest"], image.below.place)
            self._distribution.upload(place, image.layer.digest, image.layer.file)
            self._distribution.upload(place, _digest(image.config.read_bytes()), image.config)
            entry = _entry(MANIFEST, image.manifest)
            self._distribution.put_manifest(place, entry["digest"], image.manifest, MANIFEST)
            system, _, architecture = image.platform.partition("/")
            entries.append({**entry, "platform": {"architecture": architecture, "os": system}})
        document = {"schemaVersion": 2, "mediaType": LIST, "manifests": entries}
        self._distribution.put_manifest(place, tag, _json(document), LIST)

    def push_note(self, reference: str, labels: Mapping[str, str]) -> None:
        """Store an image that holds nothing but ``labels``."""
        place, tag = place_of(reference)
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "note"
        platform = {"architecture": "amd64", "os": "linux", "created": NO_TIME}
        empty = {"rootfs": {"type": "layers", "diff_ids": []}, "history": []}
        file.write_bytes(_json({**platform, **empty, "config": {"Labels": labels}}))
        entry = _entry(CONFIG, file.read_bytes())
        self._distribution.upload(place, entry["digest"], file)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": entry, "layers": []}
        self._distribution.put_manifest(place, tag, _json(manifest), MANIFEST)

    def _provide(self, place: Place, digest: str, source: Place) -> None:
        """Make a layer of ``source`` available in ``place``; copy it only if mounting fails."""
        if place == source or self._distribution.mount(place, digest, source):
            return
        file = self._folder / digest.removeprefix("sha256:")
        if not file.exists():
            self._distribution.download(source, digest, file)
        self._distribution.upload(place, digest, file)


def _configuration(recipe: Recipe, below: RemoteImage, layer: Layer) -> dict[str, Any]:
    old: Mapping[str, Any] = below.config
    variables = {**below.variables, **recipe.environment}
    process = {
        **old["config"],
        "Env": [f"{key}={value}" for key, value in variables.items()],
        "Labels": {**below.labels, **recipe.labels},
    }
    return {
        "architecture": old["architecture"],
        "os": old["os"],
        "created": NO_TIME,
        "config": process,
        "rootfs": {"type": "layers", "diff_ids": [*old["rootfs"]["diff_ids"], layer.diff_id]},
        "history": [
            *old.get("history", ()),
            {"created": NO_TIME, "created_by": f"COPY {' '.join(recipe.folders)} {recipe.root}/"},
        ],
    }


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _entry(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}

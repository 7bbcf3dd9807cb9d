"""Recipes of images: their Dockerfiles and build contexts, as values.

The dependencies are images of their own, named after everything that changes them, so that a
change of code reuses them and only adds a new last layer. No recipe runs anything, because copying
needs no emulation for another platform.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.plan import BaseImage, ImagePlan
from flops_image_builder.domain.platforms import short
from flops_image_builder.domain.references import content_tag

LOCK_FILE: Final = "requirements.lock"
SITE: Final = "site"
MODULES_LABEL: Final = "flops.modules"
"""The label with the modules that an image's packages provide."""

LAYOUT: Final = "2"
"""Increase it when the layout of a layer changes, so that older layers are not reused."""


@dataclass(frozen=True)
class Recipe:
    """One image for one platform.

    ``packages`` are installed as ``site`` of its context; ``folders`` (by name) are copied into it,
    and ``files`` are written there. ``root``, ``environment`` and ``labels`` repeat parts of the
    Dockerfile for code that carries the recipe out itself.
    """

    reference: str
    platform: str
    dockerfile: str
    packages: Lock | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the recipe as readable text."""
        lines = [f"{self.reference} for {self.platform}"]
        lines += [f"  | {line}" for line in self.dockerfile.splitlines()]
        if self.packages:
            lines.append(f"  {SITE}/: {len(self.packages.entries)} packages, by uv")
        lines += [f"  {name}/: a copy of {folder}" for name, folder in self.folders.items()]
        lines += [f"  {name}: {len(text)} characters" for name, text in self.files.items()]
        return "\n".join(lines)


def dependency_recipes(
    image: ImagePlan, base: BaseImage, python: str, platform: str, registry: str
) -> tuple[Recipe, ...]:
    """Return the recipes of the dependency layers, each on the one before it.

    Two images that share a lock get the same layer, whatever their bases are.
    """
    below = f"{without_tag(base.reference)}@{base.identity}"
    recipes: list[Recipe] = []
    for number, layer in enumerate(image.layers_on(platform), 1):
        if not layer.entries:
            continue
        digests = [lock.digest for lock in image.layers_on(platform)[:number]]
        tag = content_tag(LAYOUT, base.identity, python, platform, digests)
        reference = f"{registry}/flops/dependencies:{tag}-{short(platform)}"
        text = f"FROM {below}\nCOPY {SITE}/ {base.site}/\n"
        recipes.append(Recipe(reference, platform, text, packages=layer))
        below = reference
    return tuple(recipes)


def image_recipe(image: ImagePlan, base: BaseImage, below: str, platform: str) -> Recipe:
    """Return the recipe of the image itself: code, model and labels on top of its dependencies."""
    root = PurePosixPath(base.code).parent
    lines = [f"FROM {below}"]
    lines += [f"COPY {name}/ {root / name}/" for name in image.contents]
    lines.append(f"COPY {LOCK_FILE} {root}/")
    environment = {
        key: text.replace("{root}", str(root)) for key, text in image.environment.items()
    }
    lines += [f"ENV {key}={_quoted(text)}" for key, text in environment.items()]
    labels = {**image.labels, "flops.base": image.base}
    lines += [f"LABEL {key}={_quoted(text)}" for key, text in labels.items()]
    lock = Lock({k: v for layer in image.layers_on(platform) for k, v in layer.entries.items()})
    return Recipe(
        reference=image.reference,
        platform=platform,
        dockerfile="\n".join(lines) + "\n",
        folders=image.contents,
        files={LOCK_FILE: lock.text},
        root=str(root),
        environment=environment,
        labels=labels,
    )


def without_tag(reference: str) -> str:
    """Return a reference without its tag or digest."""
    name = reference.partition("@")[0]
    path, colon, tag = name.rpartition(":")
    return path if colon and "/" not in tag else name


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + " ".join(escaped.splitlines()) + '"'

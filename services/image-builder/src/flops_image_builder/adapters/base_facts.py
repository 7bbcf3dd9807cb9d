"""Reads the labels and files of base images in a registry.

README.md describes the labels; services/learner/Dockerfile is an example. Nothing is unpacked: the
files that matter are in the last layers, which are small.
"""

import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flops_image_builder.adapters.refusals import ImageAbsentError
from flops_image_builder.adapters.registry import Registry, RemoteImage
from flops_image_builder.domain.errors import ImageStoreError
from flops_image_builder.domain.plan import BaseImage
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.recipes import without_tag

FILES: Final = ("flops.requirements", "flops.python")
"""Labels that name files: what has to be installed, and the version of the image's Python."""

LABELS: Final = (*FILES, "flops.site", "flops.code")


@dataclass(frozen=True)
class Facts:
    """A base image and its Python."""

    image: BaseImage
    python: Interpreter


class BaseFacts:
    """Reads each base image once: the meaning of a tag must not change during a build."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._facts: dict[str, Facts] = {}

    def of(self, reference: str, platform: str) -> Facts:
        """Return the facts; raise ``ImageStoreError``."""
        if reference not in self._facts:
            self._facts[reference] = self._read(reference, platform)
        return self._facts[reference]

    def pinned(self, base: BaseImage) -> str:
        """Return the reference of exactly this base image, even if its tag has moved since."""
        return f"{without_tag(base.reference)}@{base.identity}"

    def _read(self, reference: str, platform: str) -> Facts:
        try:
            digest = self._registry.digest(reference)
            image = self._registry.image(f"{without_tag(reference)}@{digest}", platform)
        except ImageAbsentError as error:
            raise ImageStoreError(
                f"the base image {reference} is not in its registry for {platform}: {error}",
                hint="Push the suite's images there, or correct FLOPS_IMAGE_PREFIX and _TAG.",
            ) from error
        missing = [label for label in LABELS if label not in image.labels]
        if missing:
            raise ImageStoreError(
                f"the base image {reference} has no labels {', '.join(missing)}",
                hint="Build it from the Dockerfile of its service.",
            )
        requirements, version = (image.labels[label] for label in FILES)
        texts = self._texts(image, (requirements, version))
        if len(texts) < len(FILES):
            raise ImageStoreError(
                f"the base image {reference} is incomplete: it needs {requirements} and {version}",
                hint="Build the suite's images again.",
            )
        lines = (line.partition("#")[0].strip() for line in texts[requirements].splitlines())
        needed = tuple(line for line in lines if line)
        places = image.labels["flops.site"], image.labels["flops.code"]
        base = BaseImage(reference, needed, digest, *places)
        return Facts(base, Interpreter(texts[version].strip(), "", platform))

    def _texts(self, image: RemoteImage, paths: Iterable[str]) -> dict[str, str]:
        """Return the texts of files by path, each from the highest layer that has it."""
        missing = {path.lstrip("/"): path for path in paths}
        texts: dict[str, str] = {}
        with tempfile.TemporaryDirectory(prefix="flops-base-") as name:
            layer = Path(name) / "layer"
            for entry in reversed(image.layers):
                if missing:
                    self._registry.distribution.download(image.place, entry["digest"], layer)
                    files = _read_files(layer, missing.keys())
                    texts |= {missing.pop(path): text for path, text in files.items()}
        return texts


def _read_files(layer: Path, paths: Iterable[str]) -> dict[str, str]:
    with tarfile.open(layer) as archive:
        members = {member.name.removeprefix("./"): member for member in archive}
        contents = {path: archive.extractfile(members[path]) for path in {*paths} & members.keys()}
        return {path: file.read().decode() for path, file in contents.items() if file}

"""Base images in a registry: what their labels and files say to the builder.

README.md describes the labels; services/learner/Dockerfile is an example.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flops_image_builder.adapters.buildah import Buildah, ImageAbsentError
from flops_image_builder.adapters.registry import Registry
from flops_image_builder.domain.errors import ImageStoreError, PythonMissingError
from flops_image_builder.domain.plan import BaseImage
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.recipes import without_tag

LABELS: Final = ("flops.requirements", "flops.site", "flops.code")
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_PYTHON = re.compile(r"python(3\.\d+)")


@dataclass(frozen=True)
class Facts:
    """What there is to know about a base image."""

    image: BaseImage
    python: Interpreter


class BaseFacts:
    """Reads base images, each once: what a tag means must not change in the middle of a build."""

    def __init__(self, buildah: Buildah, registry: Registry) -> None:
        self._buildah = buildah
        self._registry = registry
        self._known: dict[str, Facts] = {}

    def of(self, reference: str, platform: str) -> Facts:
        """Return the facts; raise ``ImageStoreError`` or ``PythonMissingError``."""
        if reference not in self._known:
            self._known[reference] = self._read(reference, platform)
        return self._known[reference]

    def pinned(self, base: BaseImage) -> str:
        """Return the reference of exactly this base image, whatever its tag means by now."""
        return f"{without_tag(base.reference)}@{base.identity}"

    def _read(self, reference: str, platform: str) -> Facts:
        self._buildah.choose_driver()
        try:
            digest = self._registry.digest(reference)
            pinned = f"{without_tag(reference)}@{digest}"
            argv = ["pull", "--quiet", self._registry.verify(pinned), "--platform", platform]
            pulled = self._buildah.transfer(
                f"pulling {reference}", self._buildah.argv(*argv, pinned)
            )
            identity = pulled.split()[-1]
        except ImageAbsentError as error:
            raise ImageStoreError(
                f"the base image {reference} is not in its registry for {platform}: {error}",
                hint="Push the suite's images there, or correct FLOPS_IMAGE_PREFIX and _TAG.",
            ) from error
        labels, variables = self._configuration(reference, identity)
        container = self._buildah.run("from", "--pull-never", identity)
        try:
            root = Path(self._buildah.run("mount", container))
            text = (root / labels["flops.requirements"].lstrip("/")).read_text(encoding="utf-8")
            python = _python(reference, root, variables, platform)
        except OSError as error:
            raise ImageStoreError(
                f"the base image {reference} is incomplete: {error}",
                hint="Build the suite's images again.",
            ) from error
        finally:
            self._buildah.forget("rm", container)
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        needed = tuple(line for line in lines if line)
        image = BaseImage(reference, needed, digest, labels["flops.site"], labels["flops.code"])
        return Facts(image, python)

    def _configuration(
        self, reference: str, identity: str
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the labels and the environment of an image in the storage."""
        text = self._buildah.run("inspect", "--type", "image", identity)
        config: dict[str, Any] = json.loads(text)["OCIv1"]["config"]
        labels: dict[str, str] = config.get("Labels") or {}
        missing = [label for label in LABELS if label not in labels]
        if missing:
            raise ImageStoreError(
                f"the base image {reference} lacks the labels {', '.join(missing)}",
                hint="Build it from the Dockerfile of its service.",
            )
        return labels, dict(line.split("=", 1) for line in config.get("Env") or [])


def _python(reference: str, root: Path, variables: dict[str, str], platform: str) -> Interpreter:
    """Find the Python without running it: the image may be for another machine."""
    folders = variables.get("PATH", _PATH).split(":")
    names = [
        found[1]
        for folder in folders
        for file in sorted((root / folder.lstrip("/")).glob("python3.*"))
        if (found := _PYTHON.fullmatch(file.name))
    ]
    if not names:
        raise PythonMissingError(
            f"the base image {reference} has no Python", hint="Build the suite's images again."
        )
    version = variables.get("PYTHON_VERSION", "")
    return Interpreter(version if version.startswith(f"{names[0]}.") else names[0], "", platform)

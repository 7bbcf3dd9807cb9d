"""Base images in the local image store; README.md says how they are registered.

Two labels of a base bundle name its requirements and the folders of its own packages.
"""

import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from flops_contracts.bundles import Bundle, read_bundle
from flops_image_builder.domain.errors import ImageStoreError
from flops_image_builder.domain.plan import BaseImage

REQUIREMENTS_LABEL: Final = "requirements"
SOURCES_LABEL: Final = "sources"
_LEFT_OUT: Final = ("__pycache__", "*.pyc", "*.egg-info")


def read_base_bundle(store: Path, reference: str) -> Bundle:
    """Return the bundle of a base image; raise ``ImageStoreError`` if it cannot be built on."""
    bundle = read_bundle(store, reference)
    if bundle is None:
        raise ImageStoreError(
            f"the base image {reference} is not in the image store {store}",
            hint="Start the suite with 'flops local up', which registers the base images.",
        )
    missing = {REQUIREMENTS_LABEL, SOURCES_LABEL} - bundle.labels.keys()
    if missing:
        raise ImageStoreError(
            f"the base image {reference} has no labels {', '.join(sorted(missing))}",
            hint="Register it again with 'flops local up'.",
        )
    return bundle


def base_image(bundle: Bundle) -> BaseImage:
    """Return the base image of a bundle; its identity changes with every file of the base."""
    try:
        text = Path(bundle.labels[REQUIREMENTS_LABEL]).read_text(encoding="utf-8")
        digest = sha256(text.encode())
        for source in source_folders(bundle):
            for file in sorted(_files(source)):
                digest.update(file.relative_to(source).as_posix().encode() + b"\0")
                digest.update(file.read_bytes() + b"\0")
    except OSError as error:
        raise ImageStoreError(
            f"the base image {bundle.reference} is incomplete: {error}",
            hint="Register it again with 'flops local up'.",
        ) from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    requirements = tuple(line for line in lines if line)
    return BaseImage(bundle.reference, requirements, digest.hexdigest())


def copy_sources(bundle: Bundle, target: Path) -> None:
    """Copy the packages of a base image side by side into ``target``."""
    for source in source_folders(bundle):
        ignore = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(source, target, ignore=ignore, dirs_exist_ok=True)


def source_folders(bundle: Bundle) -> tuple[Path, ...]:
    """Return the folders whose contents are on the import path of a base image."""
    names = bundle.labels[SOURCES_LABEL].split(os.pathsep)
    return tuple(Path(name) for name in names if name)


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        raise NotADirectoryError(f"{source} is not a folder")
    for file in source.rglob("*"):
        is_left_out = any(
            part == "__pycache__" or part.endswith(".egg-info") for part in file.parts
        )
        if file.is_file() and not is_left_out and file.suffix != ".pyc":
            yield file

"""The local image store: what an image is where no container engine runs.

A bundle is a folder ``<store>/bundles/<key>/`` with a ``bundle.json``; the key is the SHA-256 of
the image reference. The image-builder and the CLI write bundles, local-oakestra starts them.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from flops_contracts.declared import dump, load, strict

MANIFEST: Final = "bundle.json"


@strict()
@dataclass(frozen=True)
class Bundle:
    """How to start an image as a process: argv, environment and working folder, all absolute."""

    reference: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict)


def bundle_folder(store: Path, reference: str) -> Path:
    """Return where the bundle of ``reference`` lies, whether or not it exists."""
    return store / "bundles" / sha256(reference.encode()).hexdigest()[:32]


def read_bundle(store: Path, reference: str) -> Bundle | None:
    """Return the complete bundle of ``reference``, or None; a half-written one has no manifest."""
    try:
        text = (bundle_folder(store, reference) / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return load(Bundle, json.loads(text))


def write_bundle(store: Path, bundle: Bundle) -> Path:
    """Write the manifest last and atomically, for it makes a bundle exist. Return its folder."""
    folder = bundle_folder(store, bundle.reference)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dump(bundle), indent=2, sort_keys=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, prefix=MANIFEST, delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(folder / MANIFEST)
    return folder

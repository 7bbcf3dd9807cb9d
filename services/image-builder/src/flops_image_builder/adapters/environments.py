"""Python environments of the local image store: ``<store>/envs/<key>``, one per dependency layer.

An environment of several layers is a chain: each holds its own packages and a ``.pth`` file that
names the one below. So packages that learner and aggregator share are installed and compiled once.
"""

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from flops_image_builder.adapters.storage import only_build
from flops_image_builder.adapters.uv import Uv
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.ports import Reports

LAYER_FILE: Final = "_flops_layer.pth"


class Environments:
    """Creates missing environments; an incomplete one is never visible."""

    def __init__(self, store: Path, uv: Uv, lock_timeout_seconds: float = 1800.0) -> None:
        # An environment names the ones below it by their paths, whichever link led here.
        self._folder = (store / "envs").resolve()
        self._uv = uv
        self._lock_timeout_seconds = lock_timeout_seconds

    def python_of(self, layers: Sequence[Lock], python: Interpreter, reports: Reports) -> Path:
        """Return the Python of the environment with all ``layers``; create it if missing."""
        below: Path | None = None
        for layer in layers:
            below = self._ensure(layer, below, python, reports)
        if below is None:
            raise ValueError("an environment has at least one layer")
        return below / "bin" / "python"

    def _ensure(
        self, layer: Lock, below: Path | None, python: Interpreter, reports: Reports
    ) -> Path:
        identity = f"{below or ''}\n{python.version}\n{python.executable}\n{layer.digest}"
        folder = self._folder / sha256(identity.encode()).hexdigest()[:24]
        if folder.exists():
            return folder
        with only_build(self._folder / f".{folder.name}.lock", self._lock_timeout_seconds):
            if not folder.exists():
                self._make(folder, layer, below, python, reports)
        return folder

    def _make(
        self, folder: Path, layer: Lock, below: Path | None, python: Interpreter, reports: Reports
    ) -> None:
        reports.progress(f"Installing {len(layer.entries)} packages")
        unfinished = folder.with_name(f".{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            self._uv.create(unfinished, python)
            self._uv.install(unfinished, layer)
            if below:
                link = f"import site; site.addsitedir({str(_packages(below, python))!r})\n"
                (_packages(unfinished, python) / LAYER_FILE).write_text(link, encoding="utf-8")
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _packages(environment: Path, python: Interpreter) -> Path:
    return environment / "lib" / f"python{python.minor}" / "site-packages"

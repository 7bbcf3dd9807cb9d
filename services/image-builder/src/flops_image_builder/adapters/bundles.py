"""The image engine for machines without a container engine: bundles in a local image store.

A bundle is a folder with copies of the base's packages, the user's code and the model, and a
manifest with the command that starts it; its Python is an environment of the store.
"""

import logging
import os
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from flops_contracts.build_records import FOLDER
from flops_contracts.bundles import Bundle, bundle_folder, read_bundle, write_bundle
from flops_image_builder.adapters.base_images import base_image, copy_sources, read_base_bundle
from flops_image_builder.adapters.commands import Commands, CommandTimeoutError, last_lines
from flops_image_builder.adapters.environments import Environments
from flops_image_builder.adapters.storage import only_build, storage_errors
from flops_image_builder.domain.errors import ImageStoreError
from flops_image_builder.domain.locks import Lock, lock_from_text
from flops_image_builder.domain.plan import CODE, BaseImage, BuildPlan, ImagePlan, Probe, render
from flops_image_builder.domain.probes import PROBE_SECONDS, probe_failure, probe_timeout
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.ports import Reports

logger = logging.getLogger(__name__)

BASE_FOLDER: Final = "base"
LOCK_FILE: Final = "requirements.lock"
LOCK_SECONDS: Final = 1800.0


class BundleEngine:
    """``ImageEngine`` that writes bundles into the folder ``store``."""

    def __init__(self, store: Path, environments: Environments, commands: Commands) -> None:
        self._store = store
        self._environments = environments
        self._commands = commands

    def platforms(self, requested: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the port's
        """See the port; bundles run on this machine only."""
        return ()

    def base(self, reference: str) -> BaseImage:
        """See the port."""
        return base_image(read_base_bundle(self._store, reference))

    def has(self, reference: str) -> bool:
        """See the port; an image without its environment is not complete."""
        bundle = read_bundle(self._store, reference)
        return bundle is not None and Path(bundle.argv[0]).exists()

    def build(self, plan: BuildPlan, reports: Reports) -> None:
        """See the port."""
        with storage_errors():
            for image in plan.images:
                folder = bundle_folder(self._store, image.reference)
                with only_build(self._store / "locks" / f"{folder.name}.lock", LOCK_SECONDS):
                    if not self.has(image.reference):
                        self._build(image, plan.python, folder, reports)

    def note(self, name: str, text: str) -> None:
        """See the port."""
        file = self._store / FOLDER / name
        with storage_errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(f".{os.getpid()}")
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(file)

    def explain(self, plan: BuildPlan) -> str:
        """See the port."""
        return render(plan)

    def contents(self, reference: str, folder: Path) -> tuple[Path, Lock]:  # noqa: ARG002 - for engines that must copy
        """See the port; nothing needs copying, so ``folder`` stays unused."""
        bundle = read_bundle(self._store, reference)
        if bundle is None:
            raise ImageStoreError(
                f"the image {reference} is not in the image store {self._store}",
                hint="Retry the project from the start, so that its actors are built again.",
            )
        place = bundle_folder(self._store, reference)
        text = (place / LOCK_FILE).read_text(encoding="utf-8")
        return place / CODE, lock_from_text(text)

    def _build(self, image: ImagePlan, python: Interpreter, folder: Path, reports: Reports) -> None:
        executable = self._environments.python_of(image.layers, python, reports)
        reports.progress(f"Assembling {image.reference}")
        base = read_base_bundle(self._store, image.base)
        # A folder without a manifest was left by a build that was interrupted.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for target, source in image.contents.items():
            shutil.copytree(source, folder / target, symlinks=True, ignore=_without_git)
        copy_sources(base, folder / BASE_FOLDER)
        (folder / LOCK_FILE).write_text(image.lock.text, encoding="utf-8")
        bundle = bundle_of(image, base, folder, executable)
        for probe in image.probes:
            proof = _proof(probe, executable, base_image(base))
            if not proof.exists():
                reports.progress(f"Trying {probe.what}")
                self._try(probe, bundle)
            if probe.of_base:
                proof.touch()
        write_bundle(self._store, bundle)

    def _try(self, probe: Probe, bundle: Bundle) -> None:
        try:
            finished = self._commands.run(
                [bundle.argv[0], *probe.arguments],
                PROBE_SECONDS,
                folder=Path(bundle.working_directory),
                extra=bundle.environment,
            )
        except CommandTimeoutError as error:
            raise probe_timeout(probe) from error
        if not finished.is_success:
            logger.error("%s:\n%s", probe.what, last_lines(finished.errors, 20))
            raise probe_failure(probe, last_lines(finished.errors, 1), finished.errors)


def bundle_of(image: ImagePlan, base: Bundle, folder: Path, python: Path) -> Bundle:
    """Return the manifest of ``image`` in ``folder``; it inherits the base's environment."""
    code = str(folder / CODE)
    own = {key: value.replace("{root}", str(folder)) for key, value in image.environment.items()}
    import_path = os.pathsep.join([str(folder / BASE_FOLDER), code])
    inherited: Mapping[str, str] = base.environment
    return Bundle(
        reference=image.reference,
        argv=(str(python), "-m", image.module),
        environment={**inherited, **own, "PYTHONPATH": import_path},
        working_directory=code,
        labels={**image.labels, "flops.base": image.base},
    )


def _proof(probe: Probe, python: Path, base: BaseImage) -> Path:
    """Return the file that marks that ``probe`` succeeded in this environment with ``base``."""
    digest = sha256("\n".join((*probe.arguments, base.identity)).encode()).hexdigest()[:24]
    return python.parents[1] / f".tried-{digest}"


def _without_git(_folder: str, names: list[str]) -> set[str]:
    return {".git", "__pycache__"} & set(names)

"""The image engine for containers: dependencies laid out by uv, put into layers by buildah.

Everything is copied, nothing runs while an image is made, so an image for another platform needs no
emulation. Only trying the imports runs code: in the finished image, where this machine can.
"""

import logging
import platform as machine
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from flops_image_builder.adapters.base_facts import BaseFacts
from flops_image_builder.adapters.buildah import Buildah, ImageAbsentError
from flops_image_builder.adapters.commands import last_lines
from flops_image_builder.adapters.registry import Registry
from flops_image_builder.adapters.sites import Sites
from flops_image_builder.adapters.storage import storage_errors
from flops_image_builder.adapters.trials import Trials
from flops_image_builder.domain.errors import ImageStoreError
from flops_image_builder.domain.locks import Lock, lock_from_text
from flops_image_builder.domain.plan import CODE, BaseImage, BuildPlan, ImagePlan, Probe, render
from flops_image_builder.domain.platforms import platform_of
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.recipes import (
    LOCK_FILE,
    Recipe,
    dependency_recipes,
    image_recipe,
)
from flops_image_builder.ports import Reports

logger = logging.getLogger(__name__)

_BUILD: Final = (
    # Docker's format alone keeps health checks.
    *("--format", "docker", "--isolation", "chroot", "--layers=false", "--pull-never"),
    # No times in an image: equal contents are equal layers, wherever and whenever they are made.
    *("--timestamp", "0"),
)


class BuildahEngine:
    """``ImageEngine`` and ``PythonOfBase``; ``platform`` is the first one that is built for."""

    def __init__(
        self, buildah: Buildah, registry: Registry, sites: Sites, facts: BaseFacts, platform: str
    ) -> None:
        self._buildah = buildah
        self._registry = registry
        self._sites = sites
        self._facts = facts
        self._platform = platform
        self._native = platform_of(machine.machine())
        self._trials = Trials(buildah)
        self._passed: set[tuple[str, ...]] = set()

    def platforms(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """See the port."""
        return asked or (self._platform,)

    def base(self, reference: str) -> BaseImage:
        """See the port; the base image is pulled, for it is the only one to know."""
        return self._facts.of(reference, self._platform).image

    def python_of(self, reference: str) -> Interpreter:
        """See the port."""
        return self._facts.of(reference, self._platform).python

    def has(self, reference: str) -> bool:
        """See the port; what the registry has under a tag is complete, for tags come last."""
        return self._registry.has(self._registry.here(reference))

    def explain(self, plan: BuildPlan) -> str:
        """See the port."""
        recipes = (
            recipe
            for image in plan.images
            for platform in plan.platforms
            for recipe in self._recipes(image, plan, platform)
        )
        return "\n\n".join([render(plan), *map(str, recipes)])

    def build(self, plan: BuildPlan, reports: Reports) -> None:
        """See the port."""
        for image in plan.images:
            if not self.has(image.reference):
                with storage_errors():
                    self._build(image, plan, reports)

    def contents(self, reference: str, folder: Path) -> tuple[Path, Lock]:
        """See the port."""
        self._registry.copy_last_layer(self._registry.here(reference), self._platform, folder)
        return folder / CODE, lock_from_text((folder / LOCK_FILE).read_text(encoding="utf-8"))

    def _recipes(self, image: ImagePlan, plan: BuildPlan, platform: str) -> list[Recipe]:
        """Return the recipes of an image, each on the one before it."""
        base, minor = self.base(image.base), plan.python.minor
        below = dependency_recipes(image, base, minor, platform, self._registry.address)
        return [*below, image_recipe(image, base, below[-1].reference, platform)]

    def _build(self, image: ImagePlan, plan: BuildPlan, reports: Reports) -> None:
        with self._image_list() as (name, identities):
            for platform in plan.platforms:
                *below, last = self._recipes(image, plan, platform)
                self._ensure_dependencies(image, plan, below, reports)
                reports.progress(f"Assembling {image.reference} for {platform}")
                identity = self._make(last, plan.python, "--manifest", name)
                identities.append(identity)
                probes = [probe for probe in image.probes if not probe.of_base]
                self._try(probes, identity, platform, reports)
            reports.progress(f"Pushing {image.reference}")
            target = self._registry.here(image.reference)
            verify = self._registry.verify(target)
            # The platforms' images come first, by digest; the list takes the tag when all are
            # there.
            argv = [
                "manifest",
                "push",
                "--all",
                "--format",
                "v2s2",
                verify,
                name,
                f"docker://{target}",
            ]
            self._transfer(f"pushing {image.reference}", *argv)

    def _ensure_dependencies(
        self, image: ImagePlan, plan: BuildPlan, recipes: list[Recipe], reports: Reports
    ) -> None:
        """Have the last of ``recipes`` in the storage and in the registry, tried."""
        last = recipes[-1]
        if self._registry.has(last.reference):
            reports.progress(f"Fetching the dependencies for {last.platform}")
            self._pull(last.reference, last.platform)
            return
        base = self.base(image.base)
        self._pull(self._facts.pinned(base), last.platform)
        for recipe in recipes:
            count = len(recipe.packages.entries) if recipe.packages else 0
            reports.progress(f"Installing {count} packages for {recipe.platform}")
            self._make(recipe, plan.python, "--tag", recipe.reference)
        probes = [probe for probe in image.probes if probe.of_base]
        self._try(probes, last.reference, last.platform, reports)
        reports.progress(f"Pushing the dependencies for {last.platform}")
        verify = self._registry.verify(last.reference)
        argv = ["push", verify, last.reference, f"docker://{last.reference}"]
        self._transfer("pushing the dependencies", *argv)

    def _make(self, recipe: Recipe, python: Interpreter, *target: str) -> str:
        """Carry a recipe out; return the identity of the image."""
        logger.info("making\n%s", recipe)
        with tempfile.TemporaryDirectory(prefix="flops-context-") as name:
            context, dockerfile, note = (Path(name) / part for part in ("context", "file", "id"))
            dockerfile.write_text(recipe.dockerfile, encoding="utf-8")
            if recipe.packages:
                context = self._sites.context(recipe.packages, python, recipe.platform)
            else:
                _fill(context, recipe)
            places = ("--file", str(dockerfile), "--iidfile", str(note), *target)
            self._buildah.build(*_BUILD, "--platform", recipe.platform, *places, str(context))
            return note.read_text(encoding="utf-8").strip()

    def _try(self, probes: list[Probe], image: str, platform: str, reports: Reports) -> None:
        if platform != self._native:
            logger.info("%s is not tried: this machine is %s", platform, self._native)
            return
        # An aggregator has all that its learner has: what can be imported there can be here.
        for probe in [one for one in probes if one.arguments not in self._passed]:
            reports.progress(f"Trying {probe.what}")
            self._trials.attempt(probe, image)
            self._passed.add(probe.arguments)

    def _pull(self, reference: str, platform: str) -> None:
        verify = self._registry.verify(reference)
        argv = ["pull", "--quiet", "--policy", "missing", verify, "--platform", platform]
        self._transfer(f"pulling {reference}", *argv, reference)

    def _transfer(self, what: str, *arguments: str) -> None:
        try:
            self._buildah.transfer(what, self._buildah.argv(*arguments))
        except ImageAbsentError as error:
            raise ImageStoreError(
                f"{what} failed: {last_lines(str(error), 1)}",
                hint="Check that the registry and its images are complete, then retry.",
            ) from error

    @contextmanager
    def _image_list(self) -> Iterator[tuple[str, list[str]]]:
        """Give the name of a new list of images, and one for those made, which are forgotten."""
        name = f"localhost/flops-{uuid4().hex}"
        identities: list[str] = []
        self._buildah.run("manifest", "create", name)
        try:
            yield name, identities
        finally:
            self._buildah.forget("manifest", "rm", name)
            if identities:
                self._buildah.forget("rmi", *identities)


def _fill(context: Path, recipe: Recipe) -> None:
    context.mkdir()
    for name, source in recipe.folders.items():
        shutil.copytree(source, context / name, symlinks=True, ignore=_left_out)
    for name, text in recipe.files.items():
        (context / name).write_text(text, encoding="utf-8")


def _left_out(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in {".git", "__pycache__"}}

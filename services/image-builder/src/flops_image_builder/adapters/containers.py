"""The image engine for containers: dependencies laid out by uv, put into layers by buildah.

Everything is copied and nothing is run while an image is made, so images for other platforms need
no emulation. Dependencies are images of their own; code is a layer that is added to them in the
registry, so that a change of code downloads and unpacks nothing.
"""

import logging
import platform as machine
import tempfile
from pathlib import Path
from typing import Final

from flops_contracts.build_records import LABEL, REPOSITORY
from flops_image_builder.adapters.assembly import Assembled, Assembly
from flops_image_builder.adapters.base_facts import BaseFacts
from flops_image_builder.adapters.buildah import Buildah
from flops_image_builder.adapters.commands import last_lines
from flops_image_builder.adapters.refusals import ImageAbsentError
from flops_image_builder.adapters.registry import Registry, RemoteImage
from flops_image_builder.adapters.sites import Sites
from flops_image_builder.adapters.storage import storage_errors
from flops_image_builder.adapters.trials import Trials
from flops_image_builder.domain.errors import BuildFailedError, ImageStoreError
from flops_image_builder.domain.locks import Lock, lock_from_text
from flops_image_builder.domain.plan import CODE, BaseImage, BuildPlan, ImagePlan, Probe, render
from flops_image_builder.domain.platforms import platform_of
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.recipes import (
    LOCK_FILE,
    MODULES_LABEL,
    Recipe,
    dependency_recipes,
    image_recipe,
)
from flops_image_builder.ports import Reports

logger = logging.getLogger(__name__)

_BUILD: Final = (
    # Only Docker's format keeps health checks.
    *("--format", "docker", "--isolation", "chroot", "--layers=false", "--pull-never"),
    # No timestamps in an image: equal contents give equal layers, wherever they are made.
    *("--timestamp", "0"),
)


class BuildahEngine:
    """``ImageEngine`` and ``PythonOfBase``; ``platform`` is the first platform to build for."""

    def __init__(
        self,
        buildah: Buildah,
        registry: Registry,
        assembly: Assembly,
        sites: Sites,
        facts: BaseFacts,
        platform: str,
    ) -> None:
        self._buildah = buildah
        self._registry = registry
        self._assembly = assembly
        self._sites = sites
        self._facts = facts
        self._platform = platform
        self._native = platform_of(machine.machine())
        self._trials = Trials(buildah)
        self._passed: set[tuple[str, ...]] = set()
        self._made: set[str] = set()

    def platforms(self, requested: tuple[str, ...]) -> tuple[str, ...]:
        """See the port."""
        return requested or (self._platform,)

    def base(self, reference: str) -> BaseImage:
        """See the port."""
        return self._facts.of(reference, self._platform).image

    def python_of(self, reference: str) -> Interpreter:
        """See the port."""
        return self._facts.of(reference, self._platform).python

    def has(self, reference: str) -> bool:
        """See the port; an image with a tag is complete, because tags are pushed last."""
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

    def note(self, name: str, text: str) -> None:
        """See the port."""
        self._assembly.push_note(f"{self._registry.address}/{REPOSITORY}:{name}", {LABEL: text})

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
        assembled: list[Assembled] = []
        for platform in plan.platforms:
            *below, last = self._recipes(image, plan, platform)
            dependencies = self._ensure_dependencies(image, plan, below, reports)
            _check_imports(image, dependencies)
            reports.progress(f"Assembling {image.reference} for {platform}")
            logger.info("building\n%s", last)
            assembled.append(self._assembly.assemble(last, dependencies))
            self._try_code(image, below[-1], last, reports)
        reports.progress(f"Pushing {image.reference}")
        self._assembly.push(self._registry.here(image.reference), assembled)

    def _ensure_dependencies(
        self, image: ImagePlan, plan: BuildPlan, recipes: list[Recipe], reports: Reports
    ) -> RemoteImage:
        """Build, try and push the last of ``recipes``, unless the registry has it."""
        last = recipes[-1]
        if self._registry.has(last.reference):
            reports.progress(f"The dependencies for {last.platform} exist already")
            return self._registry.image(last.reference, last.platform)
        self._buildah.choose_driver()
        base = self.base(image.base)
        self._pull(self._facts.pinned(base), last.platform)
        modules: set[str] = set()
        for recipe in recipes:
            count = len(recipe.packages.entries) if recipe.packages else 0
            reports.progress(f"Installing {count} packages for {recipe.platform}")
            modules |= self._make(recipe, plan.python, modules)
            self._made.add(recipe.reference)
        probes = [probe for probe in image.probes if probe.of_base]
        for probe in self._to_try(probes, last.platform):
            reports.progress(f"Trying {probe.what}")
            self._trials.attempt(probe, last.reference)
            self._passed.add(probe.arguments)
        reports.progress(f"Pushing the dependencies for {last.platform}")
        verify = self._registry.verify(last.reference)
        argv = ["push", verify, last.reference, f"docker://{last.reference}"]
        self._transfer("pushing the dependencies", *argv)
        return self._registry.image(last.reference, last.platform)

    def _make(self, recipe: Recipe, python: Interpreter, below: set[str]) -> set[str]:
        """Build a layer of packages; return the modules that can be imported from it."""
        logger.info("building\n%s", recipe)
        context = self._sites.context(recipe.packages or Lock({}), python, recipe.platform)
        modules = below | self._sites.modules(context)
        with tempfile.TemporaryDirectory(prefix="flops-recipe-") as name:
            dockerfile = Path(name) / "Dockerfile"
            dockerfile.write_text(recipe.dockerfile, encoding="utf-8")
            how = ("--platform", recipe.platform, "--file", str(dockerfile))
            label = ("--label", f"{MODULES_LABEL}={','.join(sorted(modules))}")
            self._buildah.build(*_BUILD, *how, *label, "--tag", recipe.reference, str(context))
        return modules

    def _try_code(self, image: ImagePlan, below: Recipe, recipe: Recipe, reports: Reports) -> None:
        """Import the user's code with dependencies that this build made.

        Downloading and unpacking those of an earlier build would take longer than all the rest;
        actors report failing imports, too.
        """
        probes = [probe for probe in image.probes if not probe.of_base]
        if below.reference not in self._made:
            return
        files = {f"{recipe.root}/{name}": folder for name, folder in recipe.folders.items()}
        for probe in self._to_try(probes, recipe.platform):
            reports.progress(f"Trying {probe.what}")
            self._trials.attempt(probe, below.reference, files, recipe.environment)
            self._passed.add(probe.arguments)

    def _to_try(self, probes: list[Probe], platform: str) -> list[Probe]:
        if platform != self._native:
            logger.info("images for %s cannot be tried: this machine is %s", platform, self._native)
            return []
        # An aggregator has all packages of its learner, so a passed probe passes again.
        return [probe for probe in probes if probe.arguments not in self._passed]

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


def _check_imports(image: ImagePlan, dependencies: RemoteImage) -> None:
    """Raise ``BuildFailedError`` if the user's code imports a module that is not installed."""
    modules = dependencies.labels.get(MODULES_LABEL, "").split(",")
    missing = [imported for imported in image.imports if imported.name not in modules]
    if missing:
        names = ", ".join(f"'{imported.name}'" for imported in missing)
        raise BuildFailedError(
            f"the ML repository imports {names}, which its dependencies do not provide",
            hint="Add what is missing to the repository's dependencies.",
            where=missing[0].where,
        )

"""The plan of a build: complete before anything is built, and printable as a dry run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flops_image_builder.domain.imports import Import
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.pythons import Interpreter

CODE: Final = "code"
"""The user's repository in an image; it is the working folder and on the import path."""

MODEL: Final = "model"
"""The folder of the trained model in the image that serves it."""

QUIET: Final = {
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_TELEMETRY_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Switches off the telemetry of libraries in an image."""


@dataclass(frozen=True)
class BaseImage:
    """An image to build on: its requirements, and an identity that changes with its content.

    ``site`` and ``code`` are the folders for packages and the user's code; bundles ignore them.
    """

    reference: str
    requirements: tuple[str, ...]
    identity: str
    site: str = ""
    code: str = ""


@dataclass(frozen=True)
class Probe:
    """Arguments for the image's Python; the call must succeed before the image counts as built.

    The outcome of an ``of_base`` probe depends on the base and the dependencies, not on the code.
    """

    what: str
    arguments: tuple[str, ...]
    of_base: bool = False


@dataclass(frozen=True)
class ImagePlan:
    """One image. ``layers`` are dependency locks, the ones that change least first.

    They are for the build's first platform; ``elsewhere`` has those of the other platforms.
    ``contents`` maps folders of the image to the folders they are copied from; in
    ``environment``, ``{root}`` stands for the folder of the contents. ``imports`` are the packages
    that the contents import and the layers must provide.
    """

    reference: str
    base: str
    module: str
    layers: tuple[Lock, ...]
    contents: Mapping[str, Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    probes: tuple[Probe, ...] = ()
    elsewhere: Mapping[str, tuple[Lock, ...]] = field(default_factory=dict)
    imports: tuple[Import, ...] = ()

    def layers_on(self, platform: str) -> tuple[Lock, ...]:
        """Return the locks for one of the build's platforms."""
        return self.elsewhere.get(platform, self.layers)

    @property
    def lock(self) -> Lock:
        """All packages of the image."""
        return Lock({name: text for layer in self.layers for name, text in layer.entries.items()})


@dataclass(frozen=True)
class BuildPlan:
    """The images of one build, all on one Python; no platforms means this machine's own."""

    python: Interpreter
    images: tuple[ImagePlan, ...]
    platforms: tuple[str, ...] = ()


def layers_of(smaller: Lock, larger: Lock) -> tuple[Lock, ...]:
    """Return ``larger`` as layers, so that images of both locks share the first."""
    return (smaller, larger.minus(smaller)) if larger.holds(smaller) else (larger,)


def render(plan: BuildPlan) -> str:
    """Return the plan as readable text, for dry runs and the log."""
    lines = [f"python {plan.python.version} ({plan.python.executable or 'of the base image'})"]
    lines += [f"platforms {', '.join(plan.platforms)}"] if plan.platforms else []
    for image in plan.images:
        lines.append(f"image {image.reference}")
        lines.append(f"  from {image.base}")
        for number, layer in enumerate(image.layers, 1):
            packages = ", ".join(f"{name} {layer.version(name)}" for name in sorted(layer.entries))
            lines.append(f"  layer {number} ({layer.digest[:12]}): {packages}")
        for platform, layers in image.elsewhere.items():
            digests = ", ".join(layer.digest[:12] for layer in layers)
            lines.append(f"  on {platform} the layers are {digests}")
        lines += [f"  copy {source} to {target}" for target, source in image.contents.items()]
        lines += [f"  environment {key}={value}" for key, value in image.environment.items()]
        lines += [f"  label {key}={value}" for key, value in image.labels.items()]
        lines += [f"  check {probe.what}" for probe in image.probes]
        lines.append(f"  run python -m {image.module}")
    return "\n".join(lines)

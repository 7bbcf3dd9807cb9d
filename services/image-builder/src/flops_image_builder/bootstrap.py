"""Wires the builder for real, from its settings; tests wire their own."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from platform import machine
from typing import Any, Final

from flops_contracts.build_records import (
    BuildResult,
    actors_note,
    model_note,
    text_from_result,
)
from flops_contracts.errors import FlopsError
from flops_contracts.events import ActorsBuilt, Kind, ModelBuilt
from flops_image_builder.adapters.assembly import Assembly
from flops_image_builder.adapters.base_facts import BaseFacts
from flops_image_builder.adapters.buildah import Buildah
from flops_image_builder.adapters.bundles import BundleEngine
from flops_image_builder.adapters.commands import Commands
from flops_image_builder.adapters.containers import BuildahEngine
from flops_image_builder.adapters.distribution import Distribution
from flops_image_builder.adapters.dry_run import DryRun, LoggedReports
from flops_image_builder.adapters.environments import Environments
from flops_image_builder.adapters.folders import FoldersAndRepositories
from flops_image_builder.adapters.git import GitRepositories
from flops_image_builder.adapters.image_python import ImagePython
from flops_image_builder.adapters.interpreters import PathInterpreters
from flops_image_builder.adapters.registry import (
    Registry,
    RegistrySettings,
    logins_of,
    variables_of,
)
from flops_image_builder.adapters.rehearsals import BundleRehearsal
from flops_image_builder.adapters.sites import Sites
from flops_image_builder.adapters.uv import Uv, UvSettings
from flops_image_builder.domain.findings import Finding
from flops_image_builder.domain.platforms import platform_of
from flops_image_builder.metrics import counted
from flops_image_builder.ports import ImageEngine, Interpreters, Reports, RepositorySource
from flops_image_builder.settings import BUNDLES, InspectionSettings, Settings
from flops_image_builder.usecases.build_actors import ActorsBuild, BuildActors
from flops_image_builder.usecases.build_model import BuildModel, ModelBuild
from flops_image_builder.usecases.inspect_repository import InspectRepository

logger = logging.getLogger(__name__)

Work = Callable[[Reports], tuple[Kind, Any]]


PACKAGE_INDEX: Final = "index"
"""Selects the build of PyTorch on the package index."""

NATIVE: Final = (platform_of(machine()),)


@dataclass(frozen=True)
class Parts:
    """The adapters of both builds."""

    repositories: RepositorySource
    uv: Uv
    engine: ImageEngine
    interpreters: Interpreters


def work(settings: Settings, variables: Mapping[str, str]) -> Work:
    """Return the build to run; ``variables`` is the environment of this process."""

    def build(reports: Reports) -> tuple[Kind, Any]:
        with tempfile.TemporaryDirectory(prefix="flops-build-") as name:
            workspace = Path(name)
            parts = _parts(settings, variables, workspace)
            project = settings.actor.subject_id
            if order := settings.actors:
                actors = counted("actors", partial(_build_actors, parts, order, workspace, reports))
                return _noted(parts.engine, actors_note(project), Kind.ACTORS_BUILT, actors)
            if model_order := settings.model:
                model = counted(
                    "model", partial(_build_model, parts, settings, model_order, workspace, reports)
                )
                note = model_note(project, model_order.run_id)
                return _noted(parts.engine, note, Kind.MODEL_BUILT, model)
        raise ValueError("the settings hold no order")

    return build


def inspect(settings: InspectionSettings, variables: Mapping[str, str]) -> list[Finding]:
    """Inspect a repository on this machine; raise ``ImageStoreError`` without the base images."""
    parts = _parts_here(settings, variables)
    with tempfile.TemporaryDirectory(prefix="flops-inspect-") as name:
        inspection = InspectRepository(
            parts.repositories,
            parts.interpreters,
            parts.uv,
            parts.engine,
            BundleRehearsal(settings.store, Commands(variables)),
            Path(name),
            NATIVE[0],
        )
        return inspection.inspect(settings.inspection, LoggedReports())


def assemble(settings: InspectionSettings, variables: Mapping[str, str]) -> ActorsBuilt:
    """Build both actors of a repository or folder on this machine, without reporting it."""
    with tempfile.TemporaryDirectory(prefix="flops-assemble-") as name:
        parts = _parts_here(settings, variables)
        return _build_actors(parts, settings.inspection.order, Path(name), LoggedReports())


def _parts_here(settings: InspectionSettings, variables: Mapping[str, str]) -> Parts:
    """Return the adapters for builds that stay on this machine, also of plain folders."""
    commands = Commands(variables)
    uv = Uv(commands, uv_settings(settings.tools.uv, variables))
    return Parts(
        FoldersAndRepositories(GitRepositories(commands, settings.tools.git), commands),
        uv,
        BundleEngine(settings.store, Environments(settings.store, uv), commands),
        PathInterpreters(commands, settings.tools.python),
    )


def uv_settings(settings: UvSettings, variables: Mapping[str, str]) -> UvSettings:
    """Return uv's settings; its own variables for PyTorch take precedence."""
    is_configured = any(variables.get(name) for name in ("UV_TORCH_BACKEND", "UV_FIND_LINKS"))
    if is_configured or settings.torch_backend == PACKAGE_INDEX:
        return replace(settings, torch_backend="")
    return settings


def _parts(settings: Settings, variables: Mapping[str, str], workspace: Path) -> Parts:
    commands = Commands(variables)
    uv = Uv(commands, uv_settings(settings.tools.uv, variables))
    engine: ImageEngine
    interpreters: Interpreters
    if settings.engine == BUNDLES:
        engine = BundleEngine(settings.store, Environments(settings.store, uv), commands)
        interpreters = PathInterpreters(commands, settings.tools.python)
    else:
        storage = None if settings.store == Path() else settings.store
        access = variables_of(settings.registry, workspace)
        buildah = Buildah(commands, settings.buildah, storage, access, settings.registry.patience)
        registry = Registry(_distribution(settings.registry), settings.registry)
        base, platforms = _target(settings)
        engine = containers = BuildahEngine(
            buildah,
            registry,
            Assembly(registry, workspace / "layers"),
            Sites(uv, workspace / "sites"),
            BaseFacts(registry),
            platforms[0],
        )
        interpreters = ImagePython(containers, base, platforms[0])
    if settings.is_dry_run:
        engine = DryRun(engine)
    return Parts(GitRepositories(commands, settings.tools.git), uv, engine, interpreters)


def _distribution(settings: RegistrySettings) -> Distribution:
    plain = frozenset() if settings.tls else frozenset(settings.hosts)
    return Distribution(logins_of(settings), plain, settings.patience)


def _target(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """Return the base image that determines the Python, and the platforms."""
    if settings.actors:
        return settings.actors.learner_base, settings.actors.platforms or NATIVE
    if settings.model:
        return settings.model.server_base, settings.model.platforms or NATIVE
    raise ValueError("the settings hold no order")


def _build_actors(
    parts: Parts, order: ActorsBuild, workspace: Path, reports: Reports
) -> ActorsBuilt:
    build = BuildActors(parts.repositories, parts.interpreters, parts.uv, parts.engine, workspace)
    return build.build(order, reports)


def _build_model(
    parts: Parts, settings: Settings, order: ModelBuild, workspace: Path, reports: Reports
) -> ModelBuilt:
    # MLflow takes seconds to import, and the build of actors does not need it.
    from flops_image_builder.adapters.mlflow import MlflowModels  # noqa: PLC0415

    models = MlflowModels(settings.model_order.mlflow_url if settings.model_order else "")
    build = BuildModel(models, parts.interpreters, parts.uv, parts.engine, workspace)
    return build.build(order, reports)


def _noted(engine: ImageEngine, name: str, kind: Kind, result: BuildResult) -> tuple[Kind, Any]:
    """Record the result for a manager that misses the message; a failure is only logged."""
    try:
        engine.note(name, text_from_result(kind, result))
    except FlopsError as error:
        logger.warning("the result could not be recorded beside the images: %s", error)
    return kind, result

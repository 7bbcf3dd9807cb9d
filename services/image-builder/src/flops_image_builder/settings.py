"""The image-builder's settings: its order, and what it is carried out with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flops_contracts.declared import about, declared
from flops_contracts.orders import ACTORS, MODEL, BuildOrder, ModelOrder
from flops_contracts.roles import Role
from flops_image_builder.adapters.buildah import BuildahSettings
from flops_image_builder.adapters.git import GitSettings
from flops_image_builder.adapters.registry import RegistrySettings
from flops_image_builder.adapters.uv import UvSettings
from flops_image_builder.usecases.build_actors import ActorsBuild
from flops_image_builder.usecases.build_model import ModelBuild
from flops_image_builder.usecases.inspect_repository import Inspection
from flops_runtime.settings import ActorSettings, ProcessSettings

BUILDAH: Final = "buildah"
BUNDLES: Final = "bundles"


@dataclass(frozen=True)
class Tools:
    """The settings of every build and every inspection."""

    git: GitSettings
    uv: UvSettings
    python: str = declared(
        "", "Python of the actors, whatever the repository asks for.", "FLOPS_PYTHON"
    )


@dataclass(frozen=True)
class Settings:
    """The order to carry out, and what it is carried out with."""

    actor: ActorSettings = field(metadata=about(given={"role": Role.BUILDER}))
    order: BuildOrder
    model_order: ModelOrder | None
    buildah: BuildahSettings
    registry: RegistrySettings
    tools: Tools
    engine: str = declared(
        BUILDAH, "What builds images.", "FLOPS_IMAGE_ENGINE", choices=(BUILDAH, BUNDLES)
    )
    is_dry_run: bool = declared(
        False, "Print the plan, then end; nothing is built or reported.", "FLOPS_DRY_RUN"
    )
    store: Path = declared(
        Path(),
        "Folder of the local image store, required for bundles; buildah has a default of its own.",
        "FLOPS_IMAGE_STORE",
    )

    def problems(self) -> Iterator[str]:
        """Yield what this kind of build lacks."""
        if self.engine == BUNDLES and self.store == Path():
            yield "FLOPS_IMAGE_STORE is missing"
        if self.order.build == ACTORS and not self.order.ml_repo_url:
            yield "FLOPS_ML_REPO_URL is missing"
        if self.order.build == MODEL and not self.model_order:
            names = ["MODEL_URI", "RUN_ID", "CUSTOMER", "ACTORS_IMAGE", "MLFLOW_URL"]
            yield from (f"FLOPS_{name} is missing" for name in names)

    @property
    def actors(self) -> ActorsBuild | None:
        """The build of a repository, if that is the order."""
        return actors_of(self.order) if self.order.build == ACTORS else None

    @property
    def model(self) -> ModelBuild | None:
        """The build of a trained model, if that is the order."""
        order, model = self.order, self.model_order
        if order.build != MODEL or model is None:
            return None
        return ModelBuild(
            model_uri=model.model_uri,
            run_id=model.run_id,
            customer_id=model.customer_id,
            registry=order.registry,
            server_base=order.base("model-server"),
            actors_image=model.actors_image,
            flavor=order.flavor,
            platforms=order.platforms,
        )


def actors_of(order: BuildOrder) -> ActorsBuild:
    """Return what to build of a repository."""
    return ActorsBuild(
        url=order.ml_repo_url,
        ref=order.ml_repo_ref,
        registry=order.registry,
        learner_base=order.base("learner"),
        aggregator_base=order.base("aggregator"),
        flavor=order.flavor,
        platforms=order.platforms,
        counts_privacy=order.counts_privacy,
    )


@dataclass(frozen=True)
class InspectionSettings:
    """Settings of ``python -m flops_image_builder inspect`` and ``assemble``."""

    process: ProcessSettings
    order: BuildOrder
    tools: Tools
    store: Path = field(metadata=about("Folder of the local image store.", "FLOPS_IMAGE_STORE"))
    rows: Path | None = declared(
        None, "Parquet file with a few rows; default: generated ones.", "FLOPS_SAMPLE_ROWS"
    )

    def problems(self) -> Iterator[str]:
        """Yield what is missing."""
        if not self.order.ml_repo_url:
            yield "FLOPS_ML_REPO_URL is missing"

    @property
    def inspection(self) -> Inspection:
        """The inspection to carry out."""
        return Inspection(actors_of(self.order), self.rows)

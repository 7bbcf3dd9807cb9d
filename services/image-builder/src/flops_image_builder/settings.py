"""What the image-builder is told from outside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flops_contracts.roles import Role
from flops_contracts.version import VERSION
from flops_image_builder.adapters.buildah import DRIVERS, BuildahSettings
from flops_image_builder.adapters.git import GitSettings
from flops_image_builder.adapters.refusals import Patience
from flops_image_builder.adapters.registry import RegistrySettings
from flops_image_builder.adapters.uv import UvSettings
from flops_image_builder.usecases.build_actors import ActorsOrder
from flops_image_builder.usecases.build_model import ModelOrder
from flops_image_builder.usecases.inspect_repository import Inspection
from flops_runtime.environment import REQUIRED, Environment
from flops_runtime.settings import ActorSettings, ProcessSettings

BUILDAH: Final = "buildah"
BUNDLES: Final = "bundles"
ACTORS: Final = "actors"
MODEL: Final = "model"


@dataclass(frozen=True)
class Settings:
    """The order to carry out (one of the two is set), and what it is carried out with."""

    actor: ActorSettings
    engine: str
    is_dry_run: bool
    store: Path
    buildah: BuildahSettings
    registry: RegistrySettings
    python: str
    git: GitSettings
    uv: UvSettings
    mlflow_url: str = ""
    actors: ActorsOrder | None = None
    model: ModelOrder | None = None

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; raise ``BadSettingsError`` with every problem at once."""
        actor = ActorSettings.from_env(environment, Role.BUILDER)
        build = environment.text("FLOPS_BUILD", help="What to build.", choices=(ACTORS, MODEL))
        engine = environment.text(
            "FLOPS_IMAGE_ENGINE", BUILDAH, help="What builds images.", choices=(BUILDAH, BUNDLES)
        )
        settings = cls(
            actor=actor,
            engine=engine,
            is_dry_run=environment.flag(
                "FLOPS_DRY_RUN", False, help="Print the plan, then end; nothing is built or told."
            ),
            store=environment.path(
                "FLOPS_IMAGE_STORE",
                REQUIRED if engine == BUNDLES else "",
                help="Folder of the local image store; buildah has a default of its own.",
            ),
            buildah=_buildah(environment),
            registry=_registry_access(environment),
            python=environment.text(
                "FLOPS_PYTHON", "", help="Python of the actors, whatever the repository asks for."
            ),
            git=_git(environment),
            uv=_uv(environment),
            mlflow_url=_mlflow_url(environment) if build != ACTORS else "",
            actors=_actors(environment) if build != MODEL else None,
            model=_model(environment) if build != ACTORS else None,
        )
        environment.check()
        return settings


@dataclass(frozen=True)
class InspectionSettings:
    """What ``python -m flops_image_builder inspect`` is told."""

    process: ProcessSettings
    inspection: Inspection
    store: Path
    python: str
    git: GitSettings
    uv: UvSettings

    @classmethod
    def from_env(cls, environment: Environment) -> "InspectionSettings":
        """Read them; raise ``BadSettingsError`` with every problem at once."""
        rows = environment.text(
            "FLOPS_SAMPLE_ROWS", "", help="Parquet file with a few rows; default: made-up ones."
        )
        settings = cls(
            process=ProcessSettings.from_env(environment),
            inspection=Inspection(_actors(environment), Path(rows) if rows else None),
            store=environment.path("FLOPS_IMAGE_STORE", help="Folder of the local image store."),
            python=environment.text("FLOPS_PYTHON", "", help="Python of the actors."),
            git=_git(environment),
            uv=_uv(environment),
        )
        environment.check()
        return settings


def _git(environment: Environment) -> GitSettings:
    return GitSettings(
        ssh_key_file=environment.text(
            "FLOPS_GIT_SSH_KEY_FILE", "", help="Deploy key for ssh URLs; a path."
        ),
        user=environment.text("FLOPS_GIT_USER", "", help="User for https URLs, beside a token."),
        token=environment.text("FLOPS_GIT_TOKEN", "", help="Password or token for https URLs."),
        timeout_seconds=environment.seconds(
            "FLOPS_CLONE_TIMEOUT_SECONDS", 120, help="How long one call of git may take."
        ),
    )


def _uv(environment: Environment) -> UvSettings:
    return UvSettings(
        resolve_timeout_seconds=environment.seconds(
            "FLOPS_RESOLVE_TIMEOUT_SECONDS", 180, help="How long one resolution may take."
        ),
        install_timeout_seconds=environment.seconds(
            "FLOPS_INSTALL_TIMEOUT_SECONDS", 1800, help="How long one installation may take."
        ),
        allow_source_packages=environment.flag(
            "FLOPS_ALLOW_SOURCE_PACKAGES",
            False,
            help="Build packages that have no wheel from source, which runs their code here.",
        ),
        torch_backend=environment.text(
            "FLOPS_TORCH_BACKEND",
            "cpu",
            help="Build of PyTorch, taken from its own index; `index` is what the package index "
            "has. Does not count where UV_TORCH_BACKEND or UV_FIND_LINKS is set.",
        ),
    )


def _buildah(environment: Environment) -> BuildahSettings:
    return BuildahSettings(
        driver=environment.text(
            "FLOPS_STORAGE_DRIVER",
            "auto",
            help="How buildah keeps layers; auto is overlay where it works, else vfs.",
            choices=DRIVERS,
        ),
        build_timeout_seconds=environment.seconds(
            "FLOPS_BUILD_TIMEOUT_SECONDS", 900, help="How long making one image may take."
        ),
        transfer_timeout_seconds=environment.seconds(
            "FLOPS_PUSH_TIMEOUT_SECONDS", 900, help="How long one pull or push may take."
        ),
    )


def _registry_access(environment: Environment) -> RegistrySettings:
    return RegistrySettings(
        name=_registry(environment),
        address=environment.text(
            "FLOPS_IMAGE_PUSH_REGISTRY",
            "",
            help="host:port that images are pushed to, if not the one they are called by.",
        ),
        tls=environment.flag(
            "FLOPS_REGISTRY_TLS", True, help="Whether the registry is spoken to by HTTPS only."
        ),
        auth_file=environment.text(
            "FLOPS_REGISTRY_AUTH_FILE", "", help="Credentials as 'skopeo login' writes them."
        ),
        user=environment.text(
            "FLOPS_IMAGE_REGISTRY_USER", "", help="User of the registry, without an authfile."
        ),
        password=environment.text("FLOPS_IMAGE_REGISTRY_PASSWORD", "", help="Their password."),
        patience=Patience(
            environment.seconds(
                "FLOPS_REGISTRY_PATIENCE_SECONDS",
                Patience.seconds,
                help="How long a registry that is away is asked again.",
            )
        ),
    )


def _actors(environment: Environment) -> ActorsOrder:
    bases = _Bases(environment)
    return ActorsOrder(
        url=environment.text("FLOPS_ML_REPO_URL", help="Git URL of the ML repository."),
        ref=environment.text(
            "FLOPS_ML_REPO_REF", "", help="Branch, tag or commit; default its main branch."
        ),
        registry=_registry(environment),
        learner_base=bases.reference("learner"),
        aggregator_base=bases.reference("aggregator"),
        flavor=_flavor(environment),
        platforms=_platforms(environment),
        counts_privacy=environment.flag(
            "FLOPS_COUNTS_PRIVACY",
            False,
            help="Whether the aggregator counts what differential privacy spends.",
        ),
    )


def _model(environment: Environment) -> ModelOrder:
    return ModelOrder(
        model_uri=environment.text("FLOPS_MODEL_URI", help="MLflow's URI of the trained model."),
        run_id=environment.text("FLOPS_RUN_ID", help="MLflow run that trained it."),
        customer=environment.text("FLOPS_CUSTOMER", help="Whose model it is."),
        registry=_registry(environment),
        server_base=_Bases(environment).reference("model-server"),
        actors_image=environment.text(
            "FLOPS_ACTORS_IMAGE", help="Aggregator image that the model came from."
        ),
        flavor=_flavor(environment),
        platforms=_platforms(environment),
    )


def _mlflow_url(environment: Environment) -> str:
    return environment.text("FLOPS_MLFLOW_URL", help="Tracking server to get the model from.")


def _registry(environment: Environment) -> str:
    return environment.text(
        "FLOPS_IMAGE_REGISTRY", help="host:port that the references of built images begin with."
    )


def _platforms(environment: Environment) -> tuple[str, ...]:
    return environment.items(
        "FLOPS_SUPPORTED_PLATFORMS", ("linux/amd64",), help="Platforms to build for."
    )


def _flavor(environment: Environment) -> str:
    return environment.text("FLOPS_ML_MODEL_FLAVOR", help="sklearn, pytorch, tensorflow or keras.")


class _Bases:
    """How base images are called."""

    def __init__(self, environment: Environment) -> None:
        self._prefix = environment.text(
            "FLOPS_IMAGE_PREFIX",
            "ghcr.io/oakestra/addon-flops",
            help="What the references of FLOps' own images begin with.",
        )
        self._tag = environment.text("FLOPS_IMAGE_TAG", VERSION, help="Their tag.")

    def reference(self, service: str) -> str:
        return f"{self._prefix}/{service}:{self._tag}"

"""Builds the image of an inference server from a trained model at the tracking server."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from flops_contracts.events import ModelBuilt
from flops_image_builder.domain.errors import ModelUnusableError
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.plan import (
    CODE,
    MODEL,
    QUIET,
    BaseImage,
    BuildPlan,
    ImagePlan,
    Probe,
    render,
)
from flops_image_builder.domain.problems import raise_if_any
from flops_image_builder.domain.pythons import Interpreter, choose_python
from flops_image_builder.domain.references import model_image
from flops_image_builder.domain.requirements import (
    Dependencies,
    from_requirements_txt,
    without_own_packages,
)
from flops_image_builder.metrics import phase
from flops_image_builder.ports import ImageEngine, Interpreters, ModelSource, Reports, Resolver
from flops_image_builder.usecases.resolving import Resolving

logger = logging.getLogger(__name__)

STEPS: Final = 3


@dataclass(frozen=True)
class ModelBuild:
    """The model to build an image for, and the name of the image."""

    model_uri: str
    run_id: str
    customer_id: str
    registry: str
    server_base: str
    actors_image: str
    flavor: str
    platforms: tuple[str, ...] = ()


class BuildModel:
    """Builds the image of a trained model; ``workspace`` is a temporary folder."""

    def __init__(
        self,
        models: ModelSource,
        interpreters: Interpreters,
        resolver: Resolver,
        engine: ImageEngine,
        workspace: Path,
    ) -> None:
        self._models = models
        self._interpreters = interpreters
        self._resolver = resolver
        self._engine = engine
        self._workspace = workspace

    def build(self, order: ModelBuild, reports: Reports) -> ModelBuilt:
        """Build the image if it is missing; every failure is a ``FlopsError``."""
        reference = model_image(order.registry, order.customer_id, order.run_id)
        if self._engine.has(reference):
            reports.progress("The image is ready", STEPS, STEPS, "steps")
            return ModelBuilt(reference, reused=True)
        base = self._engine.base(order.server_base)
        reports.progress("Downloading the trained model", 0, STEPS, "steps")
        with phase("download"):
            model = self._models.download(order.model_uri, self._workspace / "model")
            actors = self._workspace / "actors"
            code, trained_with = self._engine.contents(order.actors_image, actors)
        reports.progress("Resolving the model's dependencies", 1, STEPS, "steps")
        with phase("resolve"):
            python = self._choose_python(model)
            users = _dependencies(model, trained_with)
            full = Resolving(self._resolver, python).together(users, base.requirements)
            others = self._engine.platforms(order.platforms)[1:]
            elsewhere = {
                platform: Resolving(self._resolver, replace(python, platform=platform))
                .again(full, users, base.requirements)
                .lock
                for platform in others
            }
        contents = {CODE: code, MODEL: model}
        plan = plan_model(order, base, python, full.lock, contents, elsewhere)
        logger.info("the plan:\n%s", render(plan))
        reports.progress("Building the model's image", 2, STEPS, "steps")
        with phase("build"):
            self._engine.build(plan, reports)
        reports.progress("The image is ready", STEPS, STEPS, "steps")
        return ModelBuilt(reference)

    def _choose_python(self, model: Path) -> Interpreter:
        configured = self._interpreters.configured()
        if configured:
            return configured
        requested = python_of_model(_text(model / "python_env.yaml"))
        find, own_minor = self._interpreters.find, self._interpreters.own_minor
        return choose_python(requested, own_minor, find)[0]


def plan_model(
    order: ModelBuild,
    base: BaseImage,
    python: Interpreter,
    lock: Lock,
    contents: Mapping[str, Path],
    elsewhere: Mapping[str, Lock],
) -> BuildPlan:
    """Return the plan of the image."""
    image = ImagePlan(
        reference=model_image(order.registry, order.customer_id, order.run_id),
        base=base.reference,
        module="flops_model_server",
        layers=(lock,),
        elsewhere={platform: (other,) for platform, other in elsewhere.items()},
        contents=contents,
        environment={**QUIET, "FLOPS_MODEL_PATH": f"{{root}}/{MODEL}"},
        labels={
            "flops.dependency.lock": lock.digest,
            "flops.flavor": order.flavor,
            "flops.python": python.version,
            "flops.run": order.run_id,
        },
        probes=(
            Probe(
                "the model server's imports", ("-m", "flops_model_server", "check"), of_base=True
            ),
        ),
    )
    platforms = (python.platform, *elsewhere) if python.platform else ()
    return BuildPlan(python, (image,), platforms)


def python_of_model(text: str) -> str:
    """Return the Python of an MLflow ``python_env.yaml`` as a specifier without patch level."""
    lines = (line.partition(":") for line in text.splitlines())
    versions = [value.strip(" '\"") for key, _, value in lines if key.strip() == "python"]
    return f"=={'.'.join(versions[0].split('.')[:2])}.*" if versions else ""


def _dependencies(model: Path, trained_with: Lock) -> Dependencies:
    """Return the model's requirements, locked to the versions that the aggregator had."""
    if not (model / "MLmodel").is_file():
        raise ModelUnusableError("the download is not an MLflow model: the file MLmodel is missing")
    users = without_own_packages(from_requirements_txt(_text(model / "requirements.txt")))
    raise_if_any(users.problems)
    pins = tuple(f"{name}=={trained_with.version(name)}" for name in trained_with.entries)
    return replace(users, file="the model's requirements.txt", locked=pins)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""

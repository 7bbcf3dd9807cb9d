"""Builds the images of learner and aggregator from an ML repository.

Clone, check, resolve; then the plan is complete, and the engine builds the missing images.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from flops_contracts.events import ActorImages, ActorsBuilt
from flops_image_builder.domain.checkout import (
    Checkout,
    RepositoryFacts,
    digest_of,
    facts_from_files,
)
from flops_image_builder.domain.plan import (
    CODE,
    QUIET,
    BaseImage,
    BuildPlan,
    ImagePlan,
    Probe,
    layers_of,
    render,
)
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.references import actor_image, content_tag
from flops_image_builder.metrics import phase
from flops_image_builder.ports import (
    ImageEngine,
    Interpreters,
    Reports,
    RepositorySource,
    Resolver,
)
from flops_image_builder.usecases.locking_actors import LockActors, Locks, python_of

logger = logging.getLogger(__name__)

LEARNER: Final = "learner"
AGGREGATOR: Final = "aggregator"
STEPS: Final = 4


@dataclass(frozen=True)
class ActorsBuild:
    """The repository to build, and the names of its images.

    ``counts_privacy``: the aggregator must account for the budget of differential privacy.
    """

    url: str
    ref: str
    registry: str
    learner_base: str
    aggregator_base: str
    flavor: str
    platforms: tuple[str, ...]
    counts_privacy: bool = False


class BuildActors:
    """Builds learner and aggregator; ``workspace`` is a temporary folder."""

    def __init__(
        self,
        repositories: RepositorySource,
        interpreters: Interpreters,
        resolver: Resolver,
        engine: ImageEngine,
        workspace: Path,
    ) -> None:
        self._repositories = repositories
        self._interpreters = interpreters
        self._resolver = resolver
        self._engine = engine
        self._workspace = workspace

    def build(self, order: ActorsBuild, reports: Reports) -> ActorsBuilt:
        """Build the missing images and return all; every failure is a ``FlopsError``."""
        learner = self._engine.base(order.learner_base)
        aggregator = self._engine.base(order.aggregator_base)
        reports.progress("Cloning the ML repository", 0, STEPS, "steps")
        with phase("clone"):
            checkout = self._repositories.fetch(
                order.url, order.ref, self._workspace / "repository"
            )
        reports.progress("Checking the ML repository", 1, STEPS, "steps")
        with phase("check"):
            files = self._repositories.read(checkout)
            checkout = replace(checkout, commit=checkout.commit or digest_of(files))
            facts = facts_from_files(files)
            python = python_of(facts, self._interpreters, reports)
        reports.progress("Resolving the dependencies", 2, STEPS, "steps")
        with phase("resolve"):
            platforms = self._engine.platforms(order.platforms)
            locking = LockActors(
                self._resolver,
                facts,
                (learner, aggregator),
                counts_privacy=order.counts_privacy,
            )
            locks = _resolve(locking, python, platforms, reports)
        plan = plan_actors(order, checkout, facts, python, locks, (learner, aggregator))
        logger.info("the plan:\n%s", render(plan))
        exist = all(self._engine.has(image.reference) for image in plan.images)
        if not exist:
            reports.progress("Building the images", 3, STEPS, "steps")
            with phase("build"):
                self._engine.build(plan, reports)
        reports.progress("The images are ready", STEPS, STEPS, "steps")
        images = ActorImages(*(image.reference for image in plan.images))
        digest = locks.aggregator.digest
        return ActorsBuilt(images, checkout.commit, python.version, digest, reused=exist)


def _resolve(
    locking: LockActors, python: Interpreter, platforms: tuple[str, ...], reports: Reports
) -> Locks:
    """Return the locks of learner and aggregator, in the same versions everywhere."""
    full, locks = locking.resolve(python)
    for notice in full.notices:
        reports.notice(notice)
    elsewhere = {
        platform: locking.again(full, replace(python, platform=platform))
        for platform in platforms[1:]
    }
    return replace(locks, elsewhere=elsewhere)


def plan_actors(
    order: ActorsBuild,
    checkout: Checkout,
    facts: RepositoryFacts,
    python: Interpreter,
    locks: Locks,
    bases: tuple[BaseImage, BaseImage],
) -> BuildPlan:
    """Return the plan of both images; their tag changes with everything that changes them."""
    tag = content_tag(
        checkout.commit,
        python.version,
        locks.digests,
        [base.identity for base in bases],
        order.flavor,
        sorted(order.platforms),
    )
    labels = {
        "flops.repository.commit": checkout.commit,
        "flops.dependency.lock": locks.aggregator.digest,
        "flops.flavor": order.flavor,
        "flops.platforms": ",".join(sorted(order.platforms)),
        "flops.python": python.version,
    }
    imports_user_code = Probe(
        "the imports of the ML repository",
        ("-c", "; ".join(f"import {module}" for module in facts.modules)),
    )
    learner = ImagePlan(
        reference=actor_image(order.registry, order.url, LEARNER, tag),
        base=bases[0].reference,
        module="flops_learner",
        layers=(locks.learner,),
        elsewhere={platform: (other.learner,) for platform, other in locks.elsewhere.items()},
        contents={CODE: checkout.folder},
        environment=QUIET,
        labels=labels,
        imports=facts.imports,
        probes=(
            Probe("the learner's imports", ("-m", "flops_learner", "check"), of_base=True),
            imports_user_code,
        ),
    )
    aggregator = ImagePlan(
        reference=actor_image(order.registry, order.url, AGGREGATOR, tag),
        base=bases[1].reference,
        module="flops_aggregator",
        layers=layers_of(locks.learner, locks.aggregator),
        elsewhere={
            platform: layers_of(other.learner, other.aggregator)
            for platform, other in locks.elsewhere.items()
        },
        contents={CODE: checkout.folder},
        environment=QUIET,
        labels=labels,
        imports=facts.imports,
        probes=(
            Probe("the aggregator's imports", ("-m", "flops_aggregator", "check"), of_base=True),
            imports_user_code,
        ),
    )
    platforms = (python.platform, *locks.elsewhere) if python.platform else ()
    return BuildPlan(python, (learner, aggregator), platforms)

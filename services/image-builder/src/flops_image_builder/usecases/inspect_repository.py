"""Would a project with this repository get as far as its first round? No image is kept of it.

The same steps as a build; every step that can still be taken is, and all findings are told.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from flops_contracts.errors import FlopsError
from flops_image_builder.domain.checkout import Checkout, RepositoryFacts, digest_of, examine
from flops_image_builder.domain.findings import Finding
from flops_image_builder.domain.plan import BuildPlan
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.ports import (
    ImageEngine,
    Interpreters,
    Rehearsal,
    Reports,
    RepositorySource,
    Resolver,
)
from flops_image_builder.usecases.build_actors import ActorsBuild, plan_actors
from flops_image_builder.usecases.locking_actors import LockActors, Locks, python_of

REPOSITORY: Final = "repository"
STRUCTURE: Final = "structure"
DEPENDENCIES: Final = "dependencies"
IMPORTS: Final = "imports"


@dataclass(frozen=True)
class Inspection:
    """What to inspect; ``rows`` is a Parquet file for the rehearsal, or None for made-up ones."""

    order: ActorsBuild
    rows: Path | None = None


class InspectRepository:
    """Inspects repositories; ``native`` is the platform of this machine."""

    def __init__(
        self,
        repositories: RepositorySource,
        interpreters: Interpreters,
        resolver: Resolver,
        engine: ImageEngine,
        rehearsal: Rehearsal,
        workspace: Path,
        native: str,
    ) -> None:
        self._repositories = repositories
        self._interpreters = interpreters
        self._resolver = resolver
        self._engine = engine
        self._rehearsal = rehearsal
        self._workspace = workspace
        self._native = native

    def inspect(self, asked: Inspection, reports: Reports) -> list[Finding]:
        """Return all that is found; what follows from a finding is left out."""
        order, found = asked.order, list[Finding]()
        reports.progress("Fetching the ML repository")
        try:
            folder = self._workspace / "repository"
            checkout = self._repositories.fetch(order.url, order.ref, folder)
        except FlopsError as error:
            return [Finding.of_error(REPOSITORY, error)]
        found.append(_described(checkout))
        files = self._repositories.read(checkout)
        facts, problems = examine(files)
        found += [Finding.of_problem(STRUCTURE, one) for one in problems]
        if not problems:
            found.append(Finding(STRUCTURE, True, "everything that FLOps calls is there"))
        if facts.dependencies.problems:
            return found
        reports.progress("Resolving the dependencies")
        resolved = self._resolve(order, facts, reports, found)
        if resolved and not problems:
            checkout = replace(checkout, commit=checkout.commit or digest_of(files))
            self._rehearse(asked, checkout, facts, resolved, reports, found)
        return found

    def _resolve(
        self, order: ActorsBuild, facts: RepositoryFacts, reports: Reports, found: list[Finding]
    ) -> tuple[Interpreter, Locks] | None:
        """Resolve for this machine and every platform; None if not even that of this machine."""
        bases = (self._engine.base(order.learner_base), self._engine.base(order.aggregator_base))
        locking = LockActors(self._resolver, facts, bases)
        try:
            python = python_of(facts, self._interpreters, reports)
            full, locks = locking.resolve(python)
        except FlopsError as error:
            found.append(Finding.of_error(DEPENDENCIES, error))
            return None
        for notice in full.notices:
            reports.notice(notice)
        what = f"{len(locks.learner.entries)} packages for a learner, Python {python.minor}"
        found.append(Finding(DEPENDENCIES, True, f"{what}, {self._native}"))
        for platform in order.platforms:
            if platform == self._native:
                continue
            try:
                locking.again(full, replace(python, platform=platform))
            except FlopsError as error:
                found.append(Finding.of_error(DEPENDENCIES, error))
            else:
                found.append(Finding(DEPENDENCIES, True, f"the same versions, {platform}"))
        return python, locks

    def _rehearse(
        self,
        asked: Inspection,
        checkout: Checkout,
        facts: RepositoryFacts,
        resolved: tuple[Interpreter, Locks],
        reports: Reports,
        found: list[Finding],
    ) -> None:
        order = asked.order
        bases = (self._engine.base(order.learner_base), self._engine.base(order.aggregator_base))
        plan = plan_actors(order, checkout, facts, *resolved, bases)
        learner = plan.images[0]
        try:
            self._engine.build(BuildPlan(plan.python, (learner,)), reports)
            found.append(Finding(IMPORTS, True, "packages and modules can be imported"))
            reports.progress("Trying one round")
            found += self._rehearsal.rehearse(learner.reference, order.flavor, asked.rows)
        except FlopsError as error:
            found.append(Finding.of_error(IMPORTS, error))
        finally:
            self._rehearsal.forget(learner.reference)


def _described(checkout: Checkout) -> Finding:
    if checkout.commit:
        return Finding(REPOSITORY, True, f"commit {checkout.commit[:12]}")
    what = f"the folder as it is{checkout.differs and f', {checkout.differs}'}"
    hint = "A project builds what is committed: commit it before." if checkout.differs else ""
    return Finding(REPOSITORY, True, what, hint)

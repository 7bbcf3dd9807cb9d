"""Checks whether a project with this repository would reach its first round.

The steps are those of a build, without keeping an image; as many steps as possible are taken, and
all findings are returned.
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
    """The repository; ``rows`` is a Parquet file for the rehearsal, or None for made-up rows."""

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

    def inspect(self, inspection: Inspection, reports: Reports) -> list[Finding]:
        """Return all findings, without those that only follow from others."""
        order, findings = inspection.order, list[Finding]()
        reports.progress("Fetching the ML repository")
        try:
            folder = self._workspace / "repository"
            checkout = self._repositories.fetch(order.url, order.ref, folder)
        except FlopsError as error:
            return [Finding.of_error(REPOSITORY, error)]
        findings.append(_described(checkout))
        files = self._repositories.read(checkout)
        facts, problems = examine(files)
        findings += [Finding.of_problem(STRUCTURE, problem) for problem in problems]
        if not problems:
            findings.append(Finding(STRUCTURE, True, "everything that FLOps calls is defined"))
        if facts.dependencies.problems:
            return findings
        reports.progress("Resolving the dependencies")
        resolved = self._resolve(order, facts, reports, findings)
        if resolved and not problems:
            checkout = replace(checkout, commit=checkout.commit or digest_of(files))
            self._rehearse(inspection, checkout, facts, resolved, reports, findings)
        return findings

    def _resolve(
        self, order: ActorsBuild, facts: RepositoryFacts, reports: Reports, findings: list[Finding]
    ) -> tuple[Interpreter, Locks] | None:
        """Resolve for this machine and every platform; None if it fails for this machine."""
        bases = (self._engine.base(order.learner_base), self._engine.base(order.aggregator_base))
        locking = LockActors(self._resolver, facts, bases)
        try:
            python = python_of(facts, self._interpreters, reports)
            full, locks = locking.resolve(python)
        except FlopsError as error:
            findings.append(Finding.of_error(DEPENDENCIES, error))
            return None
        for notice in full.notices:
            reports.notice(notice)
        what = f"{len(locks.learner.entries)} packages for a learner, Python {python.minor}"
        findings.append(Finding(DEPENDENCIES, True, f"{what}, {self._native}"))
        for platform in order.platforms:
            if platform == self._native:
                continue
            try:
                locking.again(full, replace(python, platform=platform))
            except FlopsError as error:
                findings.append(Finding.of_error(DEPENDENCIES, error))
            else:
                findings.append(Finding(DEPENDENCIES, True, f"the same versions, {platform}"))
        return python, locks

    def _rehearse(
        self,
        inspection: Inspection,
        checkout: Checkout,
        facts: RepositoryFacts,
        resolved: tuple[Interpreter, Locks],
        reports: Reports,
        findings: list[Finding],
    ) -> None:
        order = inspection.order
        bases = (self._engine.base(order.learner_base), self._engine.base(order.aggregator_base))
        plan = plan_actors(order, checkout, facts, *resolved, bases)
        learner = plan.images[0]
        try:
            self._engine.build(BuildPlan(plan.python, (learner,)), reports)
            findings.append(Finding(IMPORTS, True, "packages and modules can be imported"))
            reports.progress("Trying one round")
            findings += self._rehearsal.rehearse(learner.reference, order.flavor, inspection.rows)
        except FlopsError as error:
            findings.append(Finding.of_error(IMPORTS, error))
        finally:
            self._rehearsal.forget(learner.reference)


def _described(checkout: Checkout) -> Finding:
    if checkout.commit:
        return Finding(REPOSITORY, True, f"commit {checkout.commit[:12]}")
    what = f"the folder as it is{checkout.differs and f', {checkout.differs}'}"
    hint = (
        "A project builds the committed files: commit your changes first."
        if checkout.differs
        else ""
    )
    return Finding(REPOSITORY, True, what, hint)

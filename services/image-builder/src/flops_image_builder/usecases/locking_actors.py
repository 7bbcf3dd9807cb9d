"""The dependencies of learner and aggregator: the same versions for both, and on every platform."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flops_image_builder.domain.checkout import RepositoryFacts
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.plan import BaseImage
from flops_image_builder.domain.pythons import Interpreter, choose_python
from flops_image_builder.domain.unneeded import without_unneeded
from flops_image_builder.ports import Interpreters, Reports, Resolver
from flops_image_builder.usecases.resolving import Resolution, Resolving, own_requirements

MLFLOW: Final = "mlflow-skinny"
ACCOUNTANT: Final = "dp-accounting>=0.6"
"""Needed by an aggregator that accounts for differential privacy; it depends on SciPy."""


@dataclass(frozen=True)
class Locks:
    """The dependencies of both roles; the learner's are part of the aggregator's.

    ``elsewhere`` has those of the other platforms.
    """

    learner: Lock
    aggregator: Lock
    elsewhere: Mapping[str, "Locks"] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """The digests of all locks."""
        others = [digest for locks in self.elsewhere.values() for digest in locks.digests]
        return [self.learner.digest, self.aggregator.digest, *others]


class LockActors:
    """Locks the dependencies of a repository and of the bases of both roles."""

    def __init__(
        self,
        resolver: Resolver,
        facts: RepositoryFacts,
        bases: tuple[BaseImage, BaseImage],
        *,
        counts_privacy: bool = False,
    ) -> None:
        self._resolver = resolver
        self._users = facts.dependencies
        for_users_code = (MLFLOW,) if facts.imports_mlflow else ()
        accountant = (ACCOUNTANT,) if counts_privacy else ()
        bases_own = own_requirements(*(base.requirements for base in bases))
        self._own = (*bases_own, *for_users_code, *accountant)
        self._requested = (*self._users.requirements, *for_users_code)
        self._needed = (*self._requested, *bases[0].requirements)

    def resolve(self, python: Interpreter) -> tuple[Resolution, Locks]:
        """Choose the versions; raise ``DependenciesUnresolvableError``."""
        resolving = Resolving(self._resolver, python)
        full = resolving.together(self._users, self._own)
        return full, self._split(resolving, full)

    def again(self, first: Resolution, python: Interpreter) -> Locks:
        """Lock the versions of ``first`` for another platform's Python; raise likewise."""
        resolving = Resolving(self._resolver, python)
        return self._split(resolving, resolving.again(first, self._users, self._own))

    def _split(self, resolving: Resolving, full: Resolution) -> Locks:
        def part(needed: Sequence[str]) -> Lock:
            return resolving.part(full, needed)

        return Locks(without_unneeded(part(self._needed), part(self._requested)), full.lock)


def python_of(facts: RepositoryFacts, interpreters: Interpreters, reports: Reports) -> Interpreter:
    """Return the Python of the actors; report notices about the repository."""
    for notice in facts.notices:
        reports.notice(notice)
    configured = interpreters.configured()
    if configured:
        return configured
    requested = facts.dependencies.python
    python, notice = choose_python(requested, interpreters.own_minor, interpreters.find)
    if notice:
        reports.notice(notice)
    return python

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
"""What an aggregator needs that counts what differential privacy has spent; it brings SciPy."""


@dataclass(frozen=True)
class Locks:
    """The dependencies of both roles, the learner's a part of the aggregator's.

    ``elsewhere`` has those of further platforms.
    """

    learner: Lock
    aggregator: Lock
    elsewhere: Mapping[str, "Locks"] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """What changes whenever any of them does."""
        others = [digest for one in self.elsewhere.values() for digest in one.digests]
        return [self.learner.digest, self.aggregator.digest, *others]


class LockActors:
    """Locks what a repository and the bases of both roles, learner and aggregator, need."""

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
        self._asked = (*self._users.requirements, *for_users_code)
        self._needed = (*self._asked, *bases[0].requirements)

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

        return Locks(without_unneeded(part(self._needed), part(self._asked)), full.lock)


def python_of(facts: RepositoryFacts, interpreters: Interpreters, reports: Reports) -> Interpreter:
    """Return the Python that the actors run on; what the repository should know is a notice."""
    for notice in facts.notices:
        reports.notice(notice)
    configured = interpreters.configured()
    if configured:
        return configured
    asked = facts.dependencies.python
    python, notice = choose_python(asked, interpreters.own_minor, interpreters.find)
    if notice:
        reports.notice(notice)
    return python

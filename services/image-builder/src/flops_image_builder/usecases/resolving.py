"""Finds one set of versions for the user's and FLOps' own requirements.

The user's requirements are first resolved alone, to distinguish their errors from contradictions
with FLOps. Where an exact pin of the user contradicts a bound of FLOps' own packages, the pin wins;
``docs/ml-repository-guide.md`` explains why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flops_image_builder.domain.errors import DependenciesUnresolvableError
from flops_image_builder.domain.explanations import explain, named_packages
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.requirements import Dependencies, Line
from flops_image_builder.domain.undeclared import FIRM, undeclared_bounds
from flops_image_builder.ports import ResolutionFailedError, Resolver

MOST_ATTEMPTS: Final = 8
"""Attempts to resolve, each with more pins that override FLOps' own bounds."""


@dataclass(frozen=True)
class Resolution:
    """A lock for everything, and the constraints and overrides that led to it."""

    lock: Lock
    constraints: tuple[str, ...]
    overrides: tuple[str, ...]

    @property
    def notices(self) -> tuple[str, ...]:
        """A sentence for each pin that overrides a bound of FLOps' own packages."""
        return tuple(
            f"your pin '{pin}' overrides a bound of FLOps' own packages" for pin in self.overrides
        )


class Resolving:
    """Resolves dependencies for one interpreter."""

    def __init__(self, resolver: Resolver, python: Interpreter) -> None:
        self._resolver = resolver
        self._python = python

    def together(
        self, users: Dependencies, own: Sequence[str], constraints: Sequence[str] = ()
    ) -> Resolution:
        """Resolve the user's requirements with our ``own``; raise errors that users can act on."""
        pins = (*users.locked, *constraints)
        alone = self._alone(users, pins)
        bounds = undeclared_bounds(alone)
        pinned = {line.name: line for line in users.lines if line.is_pin}
        pinned |= {line.name: line for pin in pins if (line := Line(pin, users.file)).is_pin}
        stated = {line.name for line in users.lines if line.is_pin}
        overrides: dict[str, str] = {}
        dropped: frozenset[str] = frozenset()
        for _ in range(MOST_ATTEMPTS):
            settled_names = overrides.keys() | dropped
            constraining = tuple(pin for pin in pins if Line(pin, "").name not in settled_names)
            settled = (*constraining, *bounds), tuple(overrides.values())
            try:
                lock = self._resolver.resolve((*users.requirements, *own), self._python, *settled)
            except ResolutionFailedError as error:
                named = named_packages(str(error)) & (pinned.keys() - settled_names)
                if not named or named & FIRM & stated:
                    raise self._contradicts_flops(error, users) from error
                overrides |= {name: pinned[name].requirement for name in sorted(named - FIRM)}
                # Such a pin of a lock is nobody's wish.
                dropped |= named & FIRM
            else:
                return Resolution(_with_hashes(lock, users), *settled)
        raise DependenciesUnresolvableError(
            "the dependencies contradict those of FLOps' own packages",
            hint="Loosen the version bounds.",
            where=users.file,
        )

    def again(self, first: Resolution, users: Dependencies, own: Sequence[str]) -> Resolution:
        """Resolve for this interpreter with the versions that ``first`` has on another platform."""
        pins = tuple(f"{name}=={first.lock.version(name)}" for name in first.lock.entries)
        needed = (*users.requirements, *own)
        try:
            lock = self._resolver.resolve(needed, self._python, pins, first.overrides)
        except ResolutionFailedError as error:
            raise self._explained(error, users) from error
        return Resolution(_with_hashes(lock, users), first.constraints, first.overrides)

    def part(self, resolution: Resolution, requirements: Sequence[str]) -> Lock:
        """Return the lock of ``requirements`` alone, with the versions of ``resolution``."""
        pins = (f"{name}=={resolution.lock.version(name)}" for name in resolution.lock.entries)
        needed = self._resolver.resolve(
            tuple(requirements), self._python, tuple(pins), resolution.overrides
        )
        return Lock({name: resolution.lock.entries[name] for name in needed.entries})

    def _alone(self, users: Dependencies, pins: tuple[str, ...]) -> Lock:
        try:
            return self._resolver.resolve(users.requirements, self._python, pins)
        except ResolutionFailedError as error:
            raise self._explained(error, users) from error

    def _contradicts_flops(
        self, error: ResolutionFailedError, users: Dependencies
    ) -> DependenciesUnresolvableError:
        explained = self._explained(error, users)
        hint = "FLOps' own packages need other versions: loosen the bound, or pin one version."
        return DependenciesUnresolvableError(explained.reason, hint, explained.where)

    def _explained(
        self, error: ResolutionFailedError, users: Dependencies
    ) -> DependenciesUnresolvableError:
        return explain(str(error), users, self._python.minor, self._python.platform)


def _with_hashes(lock: Lock, users: Dependencies) -> Lock:
    """Return the lock with only the files that the user's own hashes allow."""
    for line in users.lines:
        if not line.hashes or line.name not in lock.entries:
            continue
        if not lock.hashes(line.name).intersection(line.hashes):
            raise DependenciesUnresolvableError(
                f"the package index has no file of {line.name}=={lock.version(line.name)} with "
                "one of the listed hashes",
                hint="Write the hashes again, for example by `pip-compile --generate-hashes`.",
                where=line.where,
            )
        lock = lock.restricted(line.name, line.hashes)
    return lock


def own_requirements(*groups: Sequence[str]) -> tuple[str, ...]:
    """Return the requirements of several base images, each once."""
    return tuple(dict.fromkeys(line for group in groups for line in group))

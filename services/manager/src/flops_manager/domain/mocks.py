"""A mock data provider: what a customer requested, and what became of it."""

from dataclasses import dataclass
from typing import ClassVar

from flops_contracts.events import Fragment
from flops_contracts.roles import MockStage
from flops_contracts.sla import MockSla
from flops_manager.domain.subjects import Subject


@dataclass(frozen=True)
class Mock(Subject):
    """The whole state of one mock: a provider for each node that its partitions are spread over.

    ``provided`` are the instances that are done.
    """

    noun: ClassVar[str] = "mock"

    sla: MockSla
    stage: MockStage
    provided: tuple[str, ...] = ()
    fragments: tuple[Fragment, ...] = ()

    @property
    def delivered(self) -> frozenset[str]:
        """The providers that stored their partitions."""
        return frozenset(self.provided)

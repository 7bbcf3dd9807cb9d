"""A mock data provider: what its owner asked for, and what became of it."""

from dataclasses import dataclass
from datetime import datetime

from flops_contracts.events import Fragment, Progress
from flops_contracts.roles import MockStage
from flops_contracts.sla import MockSla
from flops_manager.domain.projects import ProjectError, Service


@dataclass(frozen=True)
class Mock:
    """The whole state of one mock data provider; it has one service at most."""

    id: str
    owner: str
    sla: MockSla
    stage: MockStage
    created_at: datetime
    updated_at: datetime
    service: Service | None = None
    cluster: str = ""
    node: str = ""
    fragments: tuple[Fragment, ...] = ()
    error: ProjectError | None = None
    progress: Progress | None = None
    is_deleted: bool = False

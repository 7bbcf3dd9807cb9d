"""The manager's API over use cases that live in memory and decide nothing but who sees what."""

from dataclasses import dataclass, field, replace

from flask import Flask

from flops_contracts.roles import Stage
from flops_manager.domain.errors import (
    IllegalTransitionError,
    MockNotFoundError,
    ModelNotFoundError,
    NotAuthenticatedError,
    ProjectNotFoundError,
)
from flops_manager.entrypoints.api.callers import Senders, VerifiedSenders
from flops_manager.entrypoints.api.serving import UseCases, make_api
from flops_manager.entrypoints.api.streams import Pace
from flops_manager.ports.tokens import Identity
from flops_manager.usecases.answers import Page, Removed, TrackingServer
from support.api_samples import FINDINGS, HISTORY, LOG, MODEL, a_mock, a_project

TOKENS = {
    "ada's": Identity("ada"),
    "bob's": Identity("bob"),
    "Admin's": Identity("Admin", frozenset({"Admin"})),
}


class KnownTokens:
    """Knows three tokens by heart; one more has expired."""

    def verify(self, token):
        if token == "expired":
            raise NotAuthenticatedError("The token has expired.", hint="Log in again.")
        if token not in TOKENS:
            raise NotAuthenticatedError("The token is not valid.")
        return TOKENS[token]


class MemoryProjects:
    """Projects in a dict."""

    def __init__(self) -> None:
        self.kept = {}
        self.by_key = {}
        self.history = HISTORY
        self.error = None

    def submit(self, sla, caller, idempotency_key=""):
        caller.require_owner(sla.customer_id)
        key = (sla.customer_id, idempotency_key or len(self.kept))
        number = self.by_key.setdefault(key, f"{len(self.kept):012x}")
        project = a_project(Stage.SUBMITTED, id=number, owner=sla.customer_id, sla=sla)
        return self.kept.setdefault(number, project)

    def check(self, sla, caller):
        caller.require_owner(sla.customer_id)
        return FINDINGS

    def get(self, project_id, caller):
        self._raise()
        project = self.kept.get(project_id)
        if project is None or not caller.may_see(project.owner):
            raise ProjectNotFoundError(f"There is no project '{project_id}'.")
        return project

    def list(self, caller, stage=None, page=1, page_size=50):
        self._raise()
        found = [
            one
            for one in self.kept.values()
            if caller.may_see(one.owner) and stage in {None, one.stage}
        ]
        first = (page - 1) * page_size
        return Page(tuple(found[first : first + page_size]), len(found))

    def cancel(self, project_id, caller):
        project = self.get(project_id, caller)
        if project.stage is Stage.COMPLETED:
            raise IllegalTransitionError("The project is completed.")
        self.kept[project_id] = replace(project, stage=Stage.CANCELLED)
        return self.kept[project_id]

    def retry(self, project_id, caller):
        project = self.get(project_id, caller)
        self.kept[project_id] = replace(project, stage=Stage.SUBMITTED)
        return self.kept[project_id]

    def delete(self, project_id, caller):
        self.get(project_id, caller)
        del self.kept[project_id]

    def events(self, project_id, caller, after=0, limit=500):
        self.get(project_id, caller)
        return tuple(one for one in self.history if one.seq > after)[:limit]

    def logs(self, project_id, caller, actor=""):
        self.get(project_id, caller)
        return tuple(one for one in (LOG,) if actor in {"", one.instance})

    def _raise(self):
        if self.error is not None:
            raise self.error


class MemoryMocks:
    """One mock, ada's."""

    def __init__(self) -> None:
        self.kept = {}

    def submit(self, sla, caller, idempotency_key=""):  # noqa: ARG002
        caller.require_owner(sla.customer_id)
        self.kept[a_mock().id] = replace(a_mock(), owner=sla.customer_id)
        return self.kept[a_mock().id]

    def get(self, mock_id, caller):
        mock = self.kept.get(mock_id)
        if mock is None or not caller.may_see(mock.owner):
            raise MockNotFoundError(f"There is no mock '{mock_id}'.")
        return mock

    def list(self, caller, stage=None, page=1, page_size=50):  # noqa: ARG002
        found = [one for one in self.kept.values() if caller.may_see(one.owner)]
        return Page(tuple(one for one in found if stage in {None, one.stage}), len(found))

    def delete(self, mock_id, caller):
        self.get(mock_id, caller)
        del self.kept[mock_id]


class MemoryModels:
    """One model, ada's."""

    def get(self, project_id, caller):
        if project_id != MODEL.id or not caller.may_see(MODEL.owner):
            raise ModelNotFoundError("There is no model.")
        return MODEL

    def list(self, caller, page=1, page_size=50):  # noqa: ARG002
        found = (MODEL,) if caller.may_see(MODEL.owner) else ()
        return Page(found, len(found))


class MemoryTracking:
    """A server per customer, whose port tells whose it is."""

    def url_for(self, caller, customer=""):
        customer = customer or caller.user
        caller.require_owner(customer)
        return TrackingServer(f"http://{customer.lower()}.example:7027", is_running=False)


class MemoryDatabase:
    """Counts how often it was reset."""

    def __init__(self) -> None:
        self.resets = 0

    def reset(self, caller):
        caller.require_admin()
        self.resets += 1
        return Removed(projects=2, mocks=1)


@dataclass
class World:
    """The API and what lies behind it."""

    projects: MemoryProjects = field(default_factory=MemoryProjects)
    mocks: MemoryMocks = field(default_factory=MemoryMocks)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    senders: Senders = field(default_factory=lambda: VerifiedSenders(KnownTokens()))

    def api(self, **options) -> Flask:
        """Return the API; streams look at once, and live for a moment only."""
        use_cases = UseCases(
            self.projects, self.mocks, MemoryTracking(), MemoryModels(), self.database
        )
        options = {"pace": Pace(poll_seconds=0.01, settle_seconds=0.02, life_seconds=5), **options}
        return make_api(use_cases, self.senders, **options)

    def has(self, *projects) -> "World":
        """Store projects."""
        self.projects.kept.update({one.id: one for one in projects})
        return self


def by(whose: str, **headers: str) -> dict[str, str]:
    """Return the headers of a request by ``ada's``, ``bob's`` or ``Admin's`` token."""
    return {"Authorization": f"Bearer {whose}", **headers}

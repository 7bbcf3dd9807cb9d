"""The manager's applications at the root: found by their names, created where they are missing."""

import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from flops_manager.adapters.oakestra_documents import application_sla, hex_id
from flops_manager.adapters.oakestra_session import (
    LOG_HINT,
    OakestraSession,
    document_of,
    understanding,
)
from flops_manager.domain.deployments import ApplicationKey
from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError

NOT_THERE: Final = HTTPStatus.NOT_IMPLEMENTED
"""How the root says that there is no such application to delete."""


class OakestraApplications:
    """Knows the ids of applications. Threads may share it."""

    def __init__(self, session: OakestraSession) -> None:
        self._session = session
        self._ids: dict[ApplicationKey, str] = {}
        self._user_id = ""
        self._lock = threading.Lock()

    def ensure(self, application: ApplicationKey) -> str:
        """Return its id; create it if it is not there."""
        found = self.find(application)
        if found is not None:
            return found
        sla = application_sla(application, self._session.user)
        answer = self._session.call("POST", "/api/application/", sla)
        # A conflict means that somebody else was quicker, which is as good.
        if answer.status_code != HTTPStatus.CONFLICT:
            document_of(answer)
        found = self.find(application)
        if found is None:
            raise OrchestratorUnavailableError(
                f"The orchestrator does not list {application.name}, which it just created.",
                hint=LOG_HINT,
            )
        return found

    def find(self, application: ApplicationKey) -> str | None:
        """Return its id, or None if the manager's user has no such application."""
        with self._lock:
            known = self._ids.get(application)
        return known or self._listed().get(application)

    def forget(self, application: ApplicationKey) -> None:
        """Ask the root next time: it turned out that the application is gone."""
        with self._lock:
            self._ids.pop(application, None)

    def remove(self, application: ApplicationKey) -> None:
        """Delete it; it is fine if there is none."""
        application_id = self.find(application)
        if application_id is None:
            return
        answer = self._session.delete(f"/api/application/{application_id}")
        self.forget(application)
        if not answer.ok and answer.status_code != NOT_THERE:
            raise OrchestratorUnavailableError(
                f"The orchestrator would not delete {application.name}: {answer.status_code}.",
                hint=LOG_HINT,
            )

    def _listed(self) -> Mapping[ApplicationKey, str]:
        path = f"/api/applications/{self._own_id()}"
        # Asking for a single application is no use: the root answers null if it is there.
        listed = self._session.get(path, missing=[]) or []
        with understanding(f"GET {path}"):
            ids = {
                ApplicationKey(one["application_name"], one["application_namespace"]): str(
                    one["applicationID"]
                )
                for one in listed
            }
        with self._lock:
            self._ids = ids
        return ids

    def _own_id(self) -> str:
        """Return the manager's user id, by which the root lists applications."""
        with self._lock:
            if self._user_id:
                return self._user_id
        path = f"/api/user/{self._session.user}"
        user = self._session.get(path)
        if not user:
            raise OrchestratorRefusedError(
                f"The orchestrator has no user {self._session.user}.",
                hint="Check FLOPS_OAKESTRA_USER.",
            )
        with understanding(f"GET {path}"):
            user_id = hex_id(user["_id"])
        with self._lock:
            self._user_id = user_id
        return user_id

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
"""The root's answer to deleting an application that does not exist."""


class OakestraApplications:
    """Finds and creates applications. Threads may share it."""

    def __init__(self, session: OakestraSession) -> None:
        self._session = session
        self._ids: dict[ApplicationKey, str] = {}
        self._user_id = ""
        self._lock = threading.Lock()

    def ensure(self, application: ApplicationKey) -> str:
        """Return the application's id; create it if it is missing."""
        application_id = self.find(application)
        if application_id is not None:
            return application_id
        sla = application_sla(application, self._session.user)
        answer = self._session.call("POST", "/api/application/", sla)
        # A conflict means that somebody else has just created it.
        if answer.status_code != HTTPStatus.CONFLICT:
            document_of(answer)
        application_id = self.find(application)
        if application_id is None:
            raise OrchestratorUnavailableError(
                f"The orchestrator does not list {application.name}, which it just created.",
                hint=LOG_HINT,
            )
        return application_id

    def find(self, application: ApplicationKey) -> str | None:
        """Return its id, or None if the manager's user has no such application."""
        with self._lock:
            application_id = self._ids.get(application)
        return application_id or self._listed().get(application)

    def forget(self, application: ApplicationKey) -> None:
        """Forget the id of an application that is gone; the next call asks the root."""
        with self._lock:
            self._ids.pop(application, None)

    def remove(self, application: ApplicationKey) -> None:
        """Delete the application, if it exists."""
        application_id = self.find(application)
        if application_id is None:
            return
        answer = self._session.delete(f"/api/application/{application_id}")
        self.forget(application)
        if not answer.ok and answer.status_code != NOT_THERE:
            raise OrchestratorUnavailableError(
                f"The orchestrator refused to delete {application.name}: {answer.status_code}.",
                hint=LOG_HINT,
            )

    def _listed(self) -> Mapping[ApplicationKey, str]:
        path = f"/api/applications/{self._own_id()}"
        # A single application cannot be requested: the root answers null if it exists.
        listed = self._session.get(path, missing=[]) or []
        with understanding(f"GET {path}"):
            ids = {
                ApplicationKey(each["application_name"], each["application_namespace"]): str(
                    each["applicationID"]
                )
                for each in listed
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

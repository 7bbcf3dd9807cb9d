"""Starting over: the reset that existing clients know as ``reset-database``."""

import logging
from contextlib import suppress

from flops_manager.domain.errors import MockNotFoundError, ProjectNotFoundError
from flops_manager.usecases.answers import Removed
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.projects import Projects

logger = logging.getLogger(__name__)

BATCH = 1000


class Database:
    """What an Admin can do to everything at once."""

    def __init__(self, projects: Projects, mocks: Mocks) -> None:
        self._projects = projects
        self._mocks = mocks

    def reset(self, caller: Caller) -> Removed:
        """Delete every project and mock, as ``delete`` does, and say how many that are.

        Tracking servers and what they stored stay. Raises ``NotAllowedError`` unless the caller
        is an Admin.
        """
        caller.require_admin()
        projects = mocks = 0
        while ids := [one.id for one in self._projects.list(caller, page_size=BATCH).items]:
            for project_id in ids:
                with suppress(ProjectNotFoundError):
                    self._projects.delete(project_id, caller)
            projects += len(ids)
        while ids := [one.id for one in self._mocks.list(caller, page_size=BATCH).items]:
            for mock_id in ids:
                with suppress(MockNotFoundError):
                    self._mocks.delete(mock_id, caller)
            mocks += len(ids)
        logger.warning("%s reset the database: %d projects, %d mocks", caller.user, projects, mocks)
        return Removed(projects, mocks)

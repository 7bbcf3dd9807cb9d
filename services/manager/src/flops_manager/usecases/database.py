"""The reset that existing clients call ``reset-database``."""

import logging
from contextlib import suppress
from typing import Any

from flops_manager.domain.errors import SubjectNotFoundError
from flops_manager.usecases.answers import Removed
from flops_manager.usecases.caller import Caller
from flops_manager.usecases.mocks import Mocks
from flops_manager.usecases.projects import Projects
from flops_manager.usecases.subjects import Subjects

logger = logging.getLogger(__name__)

BATCH = 1000


class Database:
    """The reset, for Admins."""

    def __init__(self, projects: Projects, mocks: Mocks) -> None:
        self._projects = projects
        self._mocks = mocks

    def reset(self, caller: Caller) -> Removed:
        """Delete every project and mock, as ``delete`` does, and return how many there were.

        Tracking servers and their data stay. Raises ``NotAllowedError`` unless the caller
        is an Admin.
        """
        caller.require_admin()
        projects, mocks = (_delete_all(kind, caller) for kind in (self._projects, self._mocks))
        logger.warning("%s reset the database: %d projects, %d mocks", caller.user, projects, mocks)
        return Removed(projects, mocks)


def _delete_all(kind: Subjects[Any], caller: Caller) -> int:
    count = 0
    while subjects := kind.list(caller, page_size=BATCH).items:
        for subject in subjects:
            with suppress(SubjectNotFoundError):
                kind.delete(subject.id, caller)
        count += len(subjects)
    return count

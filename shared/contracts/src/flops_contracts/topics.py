"""The MQTT topics, written once."""

import re
from dataclasses import dataclass
from typing import Final

from flops_contracts.roles import Role

ROOT: Final = "flops/v1"
ALL_EVENTS: Final = (f"{ROOT}/projects/+/events/#", f"{ROOT}/mocks/+/events/#")
"""What the manager subscribes to; ``/#`` matches the level above it too."""

ALL_LOGS: Final = (f"{ROOT}/projects/+/logs", f"{ROOT}/mocks/+/logs")
"""Where it hears what actors log."""

AGAIN: Final = f"{ROOT}/again"
"""Where the manager says that it may have missed something: actors repeat their last events."""


@dataclass(frozen=True)
class Topics:
    """The topics of one project or mock.

    An ordinary event goes to ``events``. An actor's result is retained, and a topic retains one
    message only, so each actor has a topic of its own below ``events`` for it. The manager clears
    it (an empty retained message) once the result is stored.
    """

    subject: str

    @property
    def events(self) -> str:
        """Where actors and the manager tell what happened."""
        return f"{self.subject}/events"

    @property
    def all_events(self) -> str:
        """The topic to subscribe to for every event, results included."""
        return f"{self.subject}/events/#"

    @property
    def logs(self) -> str:
        """Where actors send what they log."""
        return f"{self.subject}/logs"

    @property
    def control(self) -> str:
        """Where the manager tells the actors what to do."""
        return f"{self.subject}/control"

    def result(self, instance: str) -> str:
        """Where the actor ``instance`` leaves its result."""
        return f"{self.subject}/events/{instance}"


def topics_of(noun: str, subject_id: str) -> Topics:
    """Return the topics of a subject; ``noun`` is ``project`` or ``mock``."""
    return Topics(f"{ROOT}/{noun}s/{subject_id}")


def project_topics(project_id: str) -> Topics:
    """Return the topics of a project."""
    return topics_of("project", project_id)


def mock_topics(mock_id: str) -> Topics:
    """Return the topics of a mock data provider."""
    return topics_of("mock", mock_id)


def actor_topics(role: Role, subject_id: str) -> Topics:
    """Return the topics of what an actor works for, which its role decides."""
    return topics_of("mock" if role is Role.MOCK_DATA_PROVIDER else "project", subject_id)


def node_data_topic(node: str) -> str:
    """Return where the data server of a node says, retained, what it holds."""
    return f"{ROOT}/nodes/{re.sub('[^A-Za-z0-9_.-]', '-', node)}/data"

"""The roles in a project, and the stages that a project passes through."""

from enum import StrEnum, unique


@unique
class Role(StrEnum):
    """The part that a process plays; it is the ``actor.role`` of every event."""

    MANAGER = "manager"
    BUILDER = "builder"
    LEARNER = "learner"
    AGGREGATOR = "aggregator"
    CLUSTER_AGGREGATOR = "cluster_aggregator"
    OBSERVER = "observer"
    TRACKING_SERVER = "tracking_server"
    MODEL_SERVER = "model_server"
    MOCK_DATA_PROVIDER = "mock_data_provider"


@unique
class Stage(StrEnum):
    """Where a project is in its life. The last three are final."""

    SUBMITTED = "submitted"
    BUILDING_ACTORS = "building_actors"
    TRAINING = "training"
    BUILDING_MODEL = "building_model"
    SERVING = "serving"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Return whether nothing follows this stage unless a user retries."""
        return self in {Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED}


@unique
class MockStage(StrEnum):
    """Where a mock data provider is in its life. The last three are final."""

    SUBMITTED = "submitted"
    PROVIDING = "providing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Return whether nothing follows this stage."""
        return self in {MockStage.COMPLETED, MockStage.FAILED, MockStage.CANCELLED}

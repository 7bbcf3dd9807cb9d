"""Every error of the manager that can reach a caller of the API; the API has a status for each."""

from typing import Self

from flops_contracts.errors import FlopsError


class SubjectNotFoundError(FlopsError):
    """There is no such project or mock, or the caller may not see it."""

    @classmethod
    def of(cls, noun: str, subject_id: str) -> Self:
        """Return the error for this id."""
        return cls(f"There is no {noun} {subject_id}.")


class ModelNotFoundError(FlopsError):
    """The project has trained no model yet, or there is no such project."""


class NotAllowedError(FlopsError):
    """The caller is known, but may not do this."""


class NotAuthenticatedError(FlopsError):
    """The caller did not prove who they are."""


class IllegalTransitionError(FlopsError):
    """The project's stage does not allow this; from a message it means late or repeated."""


class StaleProjectError(FlopsError):
    """Somebody else changed the project or mock in between; try again."""


class AlreadyExistsError(FlopsError):
    """A project or mock with this id is stored already."""


class KeyReusedError(FlopsError):
    """An Idempotency-Key came again with another SLA."""


class TooManyProjectsError(FlopsError):
    """The customer has as many unfinished projects as one may have."""


class UnreadableRecordError(FlopsError):
    """A stored document is not one that this version of FLOps writes."""


class UnstorableError(FlopsError):
    """The database takes no record with such a value; trying again would not help."""


class RecordTooLargeError(UnstorableError):
    """The database takes no record of this size."""


class NotYetError(FlopsError):
    """A command has to wait for its turn; this is not a failure. It is tried again after a rest."""

    def __init__(
        self, reason: str, hint: str = "", where: str = "", *, rest_seconds: float = 0.0
    ) -> None:
        super().__init__(reason, hint, where)
        self.rest_seconds = rest_seconds


class OrchestratorUnavailableError(FlopsError):
    """The orchestrator does not answer, or reports an internal error; trying again may help."""


class OrchestratorRefusedError(FlopsError):
    """The orchestrator refuses a request; repeating it does not help."""

    @classmethod
    def without_password(cls, user: str) -> Self:
        """Return the error of a manager that was not told its login at the orchestrator."""
        return cls(
            f"The manager has no password for its account '{user}' at the root.",
            hint="Set FLOPS_OAKESTRA_PASSWORD, for example in compose/.env, and start FLOps again.",
        )


class ServiceAddressTakenError(FlopsError):
    """The orchestrator would not create the service at its address: another service has it."""


class NoPortLeftError(FlopsError):
    """Every port that may be published belongs to another service."""


class TrackingUnavailableError(FlopsError):
    """The customer's tracking server does not answer; trying again may help."""


class StoreUnavailableError(FlopsError):
    """The database does not answer; trying again may help."""


class ModelServerError(FlopsError):
    """The served model refuses a sample, or does not answer."""


class NotPlaceableError(FlopsError):
    """The services of an SLA cannot be placed on the present nodes and data."""


class NoRoomError(NotPlaceableError):
    """It could be placed if less of the nodes were in use."""

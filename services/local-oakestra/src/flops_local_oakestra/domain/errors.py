"""Requests that the root refuses. The answer never says why, so the reason is for the log."""


class RefusedError(Exception):
    """The root of all refusals; the entrypoint gives each type its status."""


class BadDescriptorError(RefusedError):
    """The SLA breaks the schema."""


class BrokenDescriptorError(RefusedError):
    """The SLA makes the real root crash: no version, an unknown one, or a field it counts on."""


class TakenNameError(RefusedError):
    """The user has an application with this name and namespace."""


class NotFoundError(RefusedError):
    """There is no such thing, or it belongs to somebody else."""


class WrongCredentialsError(RefusedError):
    """No such user, or another password."""


class UnknownOrganizationError(RefusedError):
    """There is one organization only: root."""

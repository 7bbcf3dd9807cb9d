"""Requests that the root refuses. The response has no reason, so it is only logged."""


class RefusedError(Exception):
    """The base class of refusals; the entrypoint maps each type to its status."""


class BadDescriptorError(RefusedError):
    """The SLA does not match the schema."""


class BrokenDescriptorError(RefusedError):
    """The SLA makes the real root crash: a wrong version, or a missing field that it relies on."""


class TakenNameError(RefusedError):
    """The user already has an application with this name and namespace."""


class NotFoundError(RefusedError):
    """The object does not exist or belongs to another user."""


class WrongCredentialsError(RefusedError):
    """The user does not exist or has another password."""


class UnknownOrganizationError(RefusedError):
    """The only organization is root."""

"""Which service it was about, when a command for several could not be carried out."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from flops_contracts.api.answers import ProjectError
from flops_contracts.errors import FlopsError
from flops_manager.domain.subjects import Service


@contextmanager
def about(service: Service) -> Iterator[None]:
    """Set ``service`` as the origin of errors inside this context."""
    try:
        yield
    except FlopsError as error:
        error.origin = error.origin or service.instance
        raise


def located(error: ProjectError, services: Iterable[Service]) -> ProjectError:
    """Return the error with role and place of its ``instance``, if that is among ``services``."""
    for service in services:
        if service.instance == error.instance:
            return replace(error, role=service.role, cluster=service.cluster, node=service.node)
    return error

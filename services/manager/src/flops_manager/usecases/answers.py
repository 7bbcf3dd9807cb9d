"""Return values of the use cases that are not part of the domain."""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a longer list; ``total`` counts all pages."""

    items: tuple[T, ...]
    total: int


class TrackingServer(NamedTuple):
    """The URL of a customer's MLflow, and whether it runs already."""

    url: str
    is_running: bool


@dataclass(frozen=True)
class Removed:
    """The number of projects and mocks that a reset of the database deletes."""

    projects: int
    mocks: int

"""Adapters of an installation without a store of images, or without webhooks."""

from collections.abc import Callable

from flops_contracts.build_records import BuildResult


class NoImages:
    """Finds no image: everything is built again."""

    def built(self, note: str) -> BuildResult | None:  # noqa: ARG002
        """See ``Images``."""
        return None


class NoStateChanges:
    """Reports no change: the worker polls."""

    is_heard = False

    def hear(self, tell: Callable[[], None]) -> None:
        """See ``StateChanges``."""

    def stop(self) -> None:
        """See ``StateChanges``."""

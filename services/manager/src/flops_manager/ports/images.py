"""Where built images are kept."""

from typing import Protocol

from flops_contracts.build_records import BuildResult


class Images(Protocol):
    """Knows what builders left."""

    def built(self, note: str) -> BuildResult | None:
        """Return what a builder noted under this name, if all that it names is there.

        None, too, if nobody answers within seconds: to build is always right, only slower.
        """

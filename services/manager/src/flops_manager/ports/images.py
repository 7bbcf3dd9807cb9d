"""The store of built images."""

from typing import Protocol

from flops_contracts.build_records import BuildResult


class Images(Protocol):
    """Finds the results of builders."""

    def built(self, note: str) -> BuildResult | None:
        """Return what a builder noted under this name, if all that it names is there.

        None, too, if there is no answer within seconds: building again is safe, only slower.
        """

"""Built images that exist in memory only, and the answer where none are stored."""

from flops_contracts.build_records import BuildResult


class MemoryImages:
    """``Images`` by the names of their notes."""

    def __init__(self) -> None:
        self.notes: dict[str, BuildResult] = {}

    def built(self, note: str) -> BuildResult | None:
        """See the port."""
        return self.notes.get(note)

"""The change of a metric: its value belongs to the process, which runs many tests."""

from prometheus_client import REGISTRY, CollectorRegistry


class Changes:
    """The values of a registry, as differences to what they were when this was made."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._before = self._samples()

    def of(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of this name with at least these labels."""
        return self._sum(self._samples(), name, labels) - self._sum(self._before, name, labels)

    def _samples(self) -> list[tuple[str, dict[str, str], float]]:
        return [
            (sample.name, sample.labels, sample.value)
            for family in self._registry.collect()
            for sample in family.samples
        ]

    @staticmethod
    def _sum(samples: list[tuple[str, dict[str, str], float]], name: str, labels: dict) -> float:
        return sum(
            value
            for sample, has, value in samples
            if sample == name and labels.items() <= has.items()
        )

"""The image-builder's metrics."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from prometheus_client import Counter, Histogram

from flops_contracts.events import ActorsBuilt, ModelBuilt
from flops_runtime import tracing
from flops_runtime.metrics import WORK_SECONDS

Built = TypeVar("Built", ActorsBuilt, ModelBuilt)

BUILDS: Final = Counter(
    "flops_builder_builds",
    "Builds by kind and outcome: built, reused (the images existed) or failed.",
    ["what", "outcome"],
)
PHASE_SECONDS: Final = Histogram(
    "flops_builder_phase_seconds",
    "Time of a phase of a build.",
    ["phase"],
    buckets=WORK_SECONDS,
)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Measure a phase of the build, and make it a span of the trace."""
    with tracing.span(name), PHASE_SECONDS.labels(name).time():
        yield


def counted(what: str, build: Callable[[], Built]) -> Built:
    """Run a build and count its outcome."""
    outcome = "failed"
    try:
        built = build()
        outcome = "reused" if built.reused else "built"
    finally:
        BUILDS.labels(what, outcome).inc()
    return built

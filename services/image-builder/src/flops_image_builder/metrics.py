"""What the image-builder says at /metrics."""

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
    "Orders by what was to be built and what came of it: built, reused (it was there) or failed.",
    ["what", "outcome"],
)
PHASE_SECONDS: Final = Histogram(
    "flops_builder_phase_seconds", "Time of a phase of a build.", ["phase"], buckets=WORK_SECONDS
)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Measure one phase of the build, which is a span of its own in a trace."""
    with tracing.span(name), PHASE_SECONDS.labels(name).time():
        yield


def counted(what: str, build: Callable[[], Built]) -> Built:
    """Carry out an order, and count what comes of it."""
    outcome = "failed"
    try:
        built = build()
        outcome = "reused" if built.reused else "built"
    finally:
        BUILDS.labels(what, outcome).inc()
    return built

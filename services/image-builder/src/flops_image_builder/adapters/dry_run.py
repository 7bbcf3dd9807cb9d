"""An image engine that only prints what another one would do."""

import logging
from pathlib import Path

from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.plan import BaseImage, BuildPlan
from flops_image_builder.ports import ImageEngine, Reports

logger = logging.getLogger(__name__)


class DryRun:
    """``ImageEngine`` around another one: it reads, but builds nothing."""

    def __init__(self, engine: ImageEngine) -> None:
        self._engine = engine

    def platforms(self, requested: tuple[str, ...]) -> tuple[str, ...]:
        """See the port."""
        return self._engine.platforms(requested)

    def base(self, reference: str) -> BaseImage:
        """See the port."""
        return self._engine.base(reference)

    def has(self, reference: str) -> bool:  # noqa: ARG002 - the port's
        """Return False: a dry run plans even an image that exists."""
        return False

    def build(self, plan: BuildPlan, reports: Reports) -> None:  # noqa: ARG002 - the port's
        """Print what the build would do."""
        print(self.explain(plan))  # noqa: T201 - the answer of a dry run

    def note(self, name: str, text: str) -> None:
        """Do nothing: nothing was built."""

    def explain(self, plan: BuildPlan) -> str:
        """See the port."""
        return self._engine.explain(plan)

    def contents(self, reference: str, folder: Path) -> tuple[Path, Lock]:
        """See the port."""
        return self._engine.contents(reference, folder)


class LoggedReports:
    """``Reports`` that go to the log only."""

    def progress(
        self,
        message: str,
        done: float = 0,  # noqa: ARG002 - the port's
        total: float | None = None,  # noqa: ARG002 - the port's
        unit: str = "",  # noqa: ARG002 - the port's
    ) -> None:
        """See the port."""
        logger.info("%s", message)

    def notice(self, message: str) -> None:
        """See the port."""
        logger.warning("%s", message)

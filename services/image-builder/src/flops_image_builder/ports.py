"""What the builder needs from the world, in its own words; one adapter per outside system."""

from pathlib import Path
from typing import Protocol

from flops_image_builder.domain.checkout import Checkout
from flops_image_builder.domain.findings import Finding
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.plan import BaseImage, BuildPlan
from flops_image_builder.domain.pythons import Interpreter


class Reports(Protocol):
    """Tells people what happens; ``flops_runtime.reporting.Reporter`` is one."""

    def progress(
        self, message: str, done: float = 0, total: float | None = None, unit: str = ""
    ) -> None:
        """Say how far a step is."""

    def notice(self, message: str) -> None:
        """Tell the user what is no failure, but good to know."""


class RepositorySource(Protocol):
    """Where ML repositories come from."""

    def fetch(self, url: str, ref: str, folder: Path) -> Checkout:
        """Put ``ref`` of ``url`` into ``folder``; raise ``RepositoryUnreachableError``."""

    def read(self, checkout: Checkout) -> dict[str, str]:
        """Return the texts of its Python files and of the files at its root, by path."""


class Interpreters(Protocol):
    """The Pythons of this machine."""

    @property
    def own_minor(self) -> int:
        """The minor version that the builder itself runs on."""

    def find(self, minor: int) -> Interpreter | None:
        """Return a working Python 3.<minor>, or None."""

    def configured(self) -> Interpreter | None:
        """Return the one that settings prescribe, or None; raise ``PythonMissingError``."""


class PythonOfBase(Protocol):
    """Knows what base images bring."""

    def python_of(self, reference: str) -> Interpreter:
        """Return the Python of a base image; raise ``ImageStoreError``."""


class ResolutionFailedError(Exception):
    """The resolver found no solution; the text is its own message."""


class Resolver(Protocol):
    """Finds versions that fit together."""

    def resolve(
        self,
        requirements: tuple[str, ...],
        python: Interpreter,
        constraints: tuple[str, ...] = (),
        overrides: tuple[str, ...] = (),
    ) -> Lock:
        """Return a lock with hashes; raise ``ResolutionFailedError``.

        Constraints bound what is needed anyway; an override replaces every other bound.
        """


class ImageEngine(Protocol):
    """Builds and keeps images. Raises ``ImageStoreError`` when it cannot read or write."""

    def platforms(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the asked platforms that need locks of their own, or none."""

    def base(self, reference: str) -> BaseImage:
        """Return what is to know about a base image."""

    def has(self, reference: str) -> bool:
        """Say whether the complete image is there."""

    def build(self, plan: BuildPlan, reports: Reports) -> None:
        """Build what is not there yet; raise ``BuildFailedError``.

        An image appears complete or not at all, and two builders of one image do not clash.
        """

    def explain(self, plan: BuildPlan) -> str:
        """Return all that ``build`` would do, for people; nothing is built."""

    def note(self, name: str, text: str) -> None:
        """Keep what was built where the manager finds it: see ``flops_contracts.build_records``."""

    def contents(self, reference: str, folder: Path) -> tuple[Path, Lock]:
        """Return the user's code and the lock of an image; ``folder`` may be used for copies."""


class Rehearsal(Protocol):
    """Tries a learner's image once, without an aggregator."""

    def rehearse(self, reference: str, flavor: str, rows: Path | None) -> list[Finding]:
        """Return what one round with the Parquet file ``rows`` shows; None: with made-up ones."""

    def forget(self, reference: str) -> None:
        """Remove the image, finished or not."""


class ModelSource(Protocol):
    """Where trained models are kept."""

    def download(self, uri: str, folder: Path) -> Path:
        """Return the model's folder in ``folder``.

        Raises ``TrackingUnreachableError`` or ``ModelUnusableError``.
        """

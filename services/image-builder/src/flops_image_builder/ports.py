"""Interfaces to outside systems; each has an adapter per system."""

from pathlib import Path
from typing import Protocol

from flops_image_builder.domain.checkout import Checkout
from flops_image_builder.domain.findings import Finding
from flops_image_builder.domain.locks import Lock
from flops_image_builder.domain.plan import BaseImage, BuildPlan
from flops_image_builder.domain.pythons import Interpreter


class Reports(Protocol):
    """Reports to the user, such as ``flops_runtime.reporting.Reporter``."""

    def progress(
        self, message: str, done: float = 0, total: float | None = None, unit: str = ""
    ) -> None:
        """Report the progress of a step."""

    def notice(self, message: str) -> None:
        """Report something useful to know that is not a failure."""


class RepositorySource(Protocol):
    """The source of ML repositories."""

    def fetch(self, url: str, ref: str, folder: Path) -> Checkout:
        """Put ``ref`` of ``url`` into ``folder``; raise ``RepositoryUnreachableError``."""

    def read(self, checkout: Checkout) -> dict[str, str]:
        """Return the texts of its Python files and of the files at its root, by path."""


class Interpreters(Protocol):
    """The Pythons of this machine."""

    @property
    def own_minor(self) -> int:
        """The minor version of the builder's own Python."""

    def find(self, minor: int) -> Interpreter | None:
        """Return a working Python 3.<minor>, or None."""

    def configured(self) -> Interpreter | None:
        """Return the Python that the settings name, or None; raise ``PythonMissingError``."""


class PythonOfBase(Protocol):
    """Looks up the Python of base images."""

    def python_of(self, reference: str) -> Interpreter:
        """Return the Python of a base image; raise ``ImageStoreError``."""


class ResolutionFailedError(Exception):
    """The resolver found no solution; the text is its message."""


class Resolver(Protocol):
    """Finds compatible versions of packages."""

    def resolve(
        self,
        requirements: tuple[str, ...],
        python: Interpreter,
        constraints: tuple[str, ...] = (),
        overrides: tuple[str, ...] = (),
    ) -> Lock:
        """Return a lock with hashes; raise ``ResolutionFailedError``.

        A constraint bounds a package only if it is needed; an override replaces every other bound.
        """


class ImageEngine(Protocol):
    """Builds and stores images. Raises ``ImageStoreError`` when it cannot read or write."""

    def platforms(self, requested: tuple[str, ...]) -> tuple[str, ...]:
        """Return the platforms that need locks of their own; none for this machine only."""

    def base(self, reference: str) -> BaseImage:
        """Return a base image."""

    def has(self, reference: str) -> bool:
        """Return whether the complete image exists."""

    def build(self, plan: BuildPlan, reports: Reports) -> None:
        """Build the missing images; raise ``BuildFailedError``.

        An image appears complete or not at all, and concurrent builds of one image are safe.
        """

    def explain(self, plan: BuildPlan) -> str:
        """Return a readable description of what ``build`` would do, without building."""

    def note(self, name: str, text: str) -> None:
        """Store a record for the manager: see ``flops_contracts.build_records``."""

    def contents(self, reference: str, folder: Path) -> tuple[Path, Lock]:
        """Return the user's code and the lock of an image; ``folder`` may hold copies."""


class Rehearsal(Protocol):
    """Tries a learner's image once, without an aggregator."""

    def rehearse(self, reference: str, flavor: str, rows: Path | None) -> list[Finding]:
        """Return the findings of one round on the Parquet file ``rows``; None: on made-up rows."""

    def forget(self, reference: str) -> None:
        """Remove the image, complete or not."""


class ModelSource(Protocol):
    """The store of trained models."""

    def download(self, uri: str, folder: Path) -> Path:
        """Return the model's folder in ``folder``.

        Raises ``TrackingUnreachableError`` or ``ModelUnusableError``.
        """

"""Runs the program buildah on one storage, with deadlines, and explains its failures."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flops_contracts.declared import declared
from flops_image_builder.adapters.commands import (
    CommandMissingError,
    Commands,
    CommandTimeoutError,
    Finished,
    last_lines,
)
from flops_image_builder.adapters.refusals import (
    DISK_FULL,
    PATIENT,
    REFUSED,
    ImageAbsentError,
    Patience,
    TransientError,
    says,
    store_error,
)
from flops_image_builder.domain.errors import BuildFailedError, ImageStoreError

logger = logging.getLogger(__name__)

DRIVERS: Final = ("auto", "overlay", "vfs")
SHORT_SECONDS: Final = 60.0
_MESSAGE = re.compile(r'^time="[^"]*" level=\w+ msg="(?P<text>.*)"$', re.MULTILINE)
_ABSENT: Final = ("manifest unknown", "name unknown", "not found")
_TRANSIENT: Final = (
    "connection refused",
    "connection reset",
    "broken pipe",
    "eof",
    "i/o timeout",
    "tls handshake timeout",
    "no such host",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway timeout",
    "toomanyrequests",
)


@dataclass(frozen=True)
class BuildahSettings:
    """The storage driver, and how long buildah may take."""

    driver: str = declared(
        "auto",
        "How buildah keeps layers; auto is overlay where it works, else vfs.",
        "FLOPS_STORAGE_DRIVER",
        choices=DRIVERS,
    )
    build_timeout_seconds: float = declared(
        900.0, "How long making one image may take.", "FLOPS_BUILD_TIMEOUT_SECONDS"
    )
    transfer_timeout_seconds: float = declared(
        900.0, "How long one pull or push may take.", "FLOPS_PUSH_TIMEOUT_SECONDS"
    )


def _log(line: str) -> None:
    if line:
        logger.info("%s", line)


class Buildah:
    """Runs buildah; ``variables`` hold the access to registries.

    Without ``storage``, buildah uses its default one.
    """

    def __init__(
        self,
        commands: Commands,
        settings: BuildahSettings,
        storage: Path | None,
        variables: Mapping[str, str],
        patience: Patience = PATIENT,
    ) -> None:
        self._patience = patience
        self._commands = commands
        self._settings = settings
        self._storage = storage
        self._variables = variables
        self._driver = "" if settings.driver == "auto" else settings.driver

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line of a buildah call."""
        places: list[str] = []
        if self._storage:
            places = ["--root", str(self._storage / "images")]
            places += ["--runroot", str(self._storage / "run")]
        return ["buildah", "--storage-driver", self._driver or "overlay", *places, *arguments]

    def choose_driver(self) -> None:
        """Fall back to the slower vfs driver where overlay mounts are not permitted."""
        if self._driver:
            return
        self._driver = "overlay"
        probe = self._run_shortly("info")
        if not probe.is_success:
            logger.info("overlay storage does not work here: %s", reason_of(probe))
            self._driver = "vfs"

    def run(self, *arguments: str) -> str:
        """Return the output of a short call; raise ``ImageStoreError``."""
        finished = self._run_shortly(*arguments)
        if not finished.is_success:
            raise store_error(f"buildah {arguments[0]}", reason_of(finished))
        return finished.output.strip()

    def forget(self, *arguments: str) -> None:
        """Clean up with a short call; a failure is logged and ignored."""
        try:
            self.run(*arguments)
        except ImageStoreError as error:
            logger.warning("%s", error)

    def attempt(self, *arguments: str, timeout_seconds: float) -> Finished:
        """Return the result of a call, failed or not."""
        return self._run(self.argv(*arguments), timeout_seconds)

    def program(self, argv: Sequence[str], timeout_seconds: float) -> Finished:
        """Run another program in the same environment as buildah."""
        return self._run(argv, timeout_seconds)

    def build(self, *arguments: str) -> None:
        """Build an image; raise ``BuildFailedError`` or ``ImageStoreError``."""
        argv = self.argv("build", *arguments)
        try:
            finished = self._run(argv, self._settings.build_timeout_seconds)
        except CommandTimeoutError as error:
            raise BuildFailedError(
                f"{error}", hint="Give the builder more memory and disk, or raise the deadline."
            ) from error
        if finished.is_success:
            return
        if says(finished.errors, (*DISK_FULL, *_TRANSIENT, *REFUSED)):
            raise store_error("building an image", reason_of(finished))
        raise BuildFailedError(
            f"buildah cannot build the image: {last_lines(finished.errors, 3)}",
            hint="This is the end of buildah's output; the log has all of it.",
        )

    def transfer(self, what: str, argv: Sequence[str]) -> str:
        """Pull or push an image, with retries.

        Raises ``ImageAbsentError`` and ``ImageStoreError``.
        """
        try:
            return self._patience.retrying(what)(self._transfer, what, argv)
        except TransientError as error:
            raise store_error(what, str(error)) from None
        except CommandTimeoutError as error:
            raise ImageStoreError(
                f"{what} took too long: {error}",
                hint="Check the network between the image-builder and the registry, then retry.",
            ) from error

    def _transfer(self, what: str, argv: Sequence[str]) -> str:
        finished = self._run(argv, self._settings.transfer_timeout_seconds)
        if finished.is_success:
            return finished.output
        text = finished.errors
        if says(text, _TRANSIENT) and not says(text, DISK_FULL):
            raise TransientError(reason_of(finished))
        if says(text, _ABSENT):
            raise ImageAbsentError(reason_of(finished))
        raise store_error(what, reason_of(finished))

    def _run_shortly(self, *arguments: str) -> Finished:
        try:
            return self._run(self.argv(*arguments), SHORT_SECONDS, on_line=None)
        except CommandTimeoutError as error:
            raise ImageStoreError(
                str(error), hint="The machine is overloaded or its disk hangs; retry."
            ) from error

    def _run(
        self,
        argv: Sequence[str],
        timeout_seconds: float,
        on_line: Callable[[str], None] | None = _log,
    ) -> Finished:
        try:
            return self._commands.run(argv, timeout_seconds, extra=self._variables, on_line=on_line)
        except CommandMissingError as error:
            raise ImageStoreError(
                f"{error} is not installed where the image-builder runs",
                hint="Install buildah there, or set FLOPS_IMAGE_ENGINE=bundles.",
            ) from error


def reason_of(finished: Finished) -> str:
    """Return the last line of a program's errors, without the prefix of a log line."""
    plain = _MESSAGE.sub(lambda match: match["text"].replace('\\"', '"'), finished.errors)
    return last_lines(plain, 1)

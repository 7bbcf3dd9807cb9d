"""Recognises failures of registries and disks by their messages, and explains them."""

import logging
from dataclasses import dataclass
from typing import Final

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_all,
    wait_exponential,
)

from flops_contracts.declared import declared
from flops_image_builder.domain.errors import ImageStoreError

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 3
"""The minimum, however long each attempt takes."""

LONGEST_PAUSE_SECONDS: Final = 20.0

DISK_FULL: Final = ("no space left on device", "disk quota exceeded")
REFUSED: Final = ("unauthorized", "authentication required", "denied", "forbidden")
_HTTP_ONLY: Final = ("http response to https client", "wrong_version_number", "record layer")
_CERTIFICATE: Final = ("certificate",)

_HINTS: Final = (
    (DISK_FULL, "Free space where the image-builder and the registry keep their images."),
    (REFUSED, "The registry refuses the builder: check the user, password and authfile."),
    (_HTTP_ONLY, "The registry speaks plain HTTP: set FLOPS_REGISTRY_TLS=off."),
    (_CERTIFICATE, "Add the registry's certificate authority to the builder's (SSL_CERT_FILE)."),
)


class ImageAbsentError(Exception):
    """The registry answers that there is no such image."""


class TransientError(Exception):
    """Worth another attempt."""


@dataclass(frozen=True)
class Patience:
    """For how many seconds calls to an absent registry are retried; the pauses double."""

    seconds: float = declared(
        120.0,
        "How long a registry that does not answer is tried again.",
        "FLOPS_REGISTRY_PATIENCE_SECONDS",
    )
    first_pause_seconds: float = 1.0

    def retrying(self, what: str) -> Retrying:
        """Return a retrier for ``TransientError``; the last one is raised."""

        def log_failure(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            logger.warning("%s failed, retrying: %s", what, error)

        return Retrying(
            stop=stop_all(stop_after_attempt(ATTEMPTS), stop_after_delay(self.seconds)),
            wait=wait_exponential(multiplier=self.first_pause_seconds, max=LONGEST_PAUSE_SECONDS),
            retry=retry_if_exception_type(TransientError),
            before_sleep=log_failure,
            reraise=True,
        )


PATIENT: Final = Patience()


def says(text: str, signs: tuple[str, ...]) -> bool:
    """Return whether one of ``signs`` is in a text."""
    return any(sign in text.lower() for sign in signs)


def store_error(what: str, message: str) -> ImageStoreError:
    """Return the error for an action that failed with ``message``."""
    usual = "Check that the image registry runs, then retry the project."
    hint = next((hint for signs, hint in _HINTS if says(message, signs)), usual)
    return ImageStoreError(f"{what} failed: {message}", hint=hint)

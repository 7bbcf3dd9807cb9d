"""What registries and disks say when they refuse, and what to tell people then."""

from typing import Final

from flops_image_builder.domain.errors import ImageStoreError

DISK_FULL: Final = ("no space left on device", "disk quota exceeded")
REFUSED: Final = ("unauthorized", "authentication required", "denied", "forbidden")
_HTTP_ONLY: Final = ("http response to https client", "wrong_version_number", "record layer")
_CERTIFICATE: Final = ("certificate",)

_HINTS: Final = (
    (DISK_FULL, "Free space where the image-builder and the registry keep their images."),
    (REFUSED, "The registry refuses the builder: check its user, password and authfile."),
    (_HTTP_ONLY, "The registry speaks plain HTTP: set FLOPS_REGISTRY_TLS=off."),
    (_CERTIFICATE, "Add the registry's certificate authority to the builder's (SSL_CERT_FILE)."),
)


class ImageAbsentError(Exception):
    """The registry answers that there is no such image."""


class TransientError(Exception):
    """Worth another attempt."""


def says(text: str, signs: tuple[str, ...]) -> bool:
    """Say whether one of ``signs`` is in a text."""
    return any(sign in text.lower() for sign in signs)


def store_error(what: str, said: str) -> ImageStoreError:
    """Return the error for something that failed with the words ``said``."""
    usual = "Check that the image registry runs, then retry the project."
    hint = next((hint for signs, hint in _HINTS if says(said, signs)), usual)
    return ImageStoreError(f"{what} failed: {said}", hint=hint)

"""Bounds that packages have but do not declare, so that no resolver can know them.

Without each of them, an import failed in an environment that had resolved cleanly.
"""

from typing import Final

from packaging.version import Version

from flops_image_builder.domain.locks import Lock

_BOUNDS: Final = (
    # pyarrow 26 refuses at import: "pyarrow requires NumPy 2.0 or newer".
    ("numpy", Version("2"), "pyarrow<26"),
)


FIRM: Final = frozenset({"protobuf", "grpcio"})
"""Packages whose pins cannot override the bounds of FLOps' own packages.

Flower's messages are generated code, which refuses an older runtime when it is imported.
"""


def undeclared_bounds(lock: Lock) -> tuple[str, ...]:
    """Return the constraints that follow from the pins of ``lock``."""
    return tuple(
        bound
        for package, below, bound in _BOUNDS
        if lock.version(package) and Version(lock.version(package)) < below
    )

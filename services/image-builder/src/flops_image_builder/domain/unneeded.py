"""Flower's dependencies that learners never import, because they use its messages only.

Together they are larger than Flower itself, and every edge node pulls the learner's image. They
stay in an image if the user's own requirements need them.
"""

from typing import Final

from flops_image_builder.domain.locks import Lock

UNNEEDED: Final = frozenset(
    {
        "alembic",
        "fastapi",
        "greenlet",
        "hf-xet",
        "httptools",
        "mako",
        "pathspec",
        "prompt-toolkit",
        "pydantic",
        "pydantic-core",
        "sqlalchemy",
        "starlette",
        "uv",
        "uvicorn",
        "uvloop",
        "watchfiles",
        "wcwidth",
        "websockets",
    }
)


def without_unneeded(lock: Lock, users: Lock) -> Lock:
    """Return ``lock`` without the unneeded packages, except those in ``users``."""
    unneeded = UNNEEDED - users.entries.keys()
    return Lock({name: text for name, text in lock.entries.items() if name not in unneeded})

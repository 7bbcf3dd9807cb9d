"""What Flower declares, but its client's messages, which are all that learners use, never import.

Together these are larger than Flower itself; learners are pulled by every edge node. They stay in
an image if the user's own requirements need them.
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
    """Return ``lock`` without what nobody uses; all that ``users`` holds stays."""
    gone = UNNEEDED - users.entries.keys()
    return Lock({name: text for name, text in lock.entries.items() if name not in gone})

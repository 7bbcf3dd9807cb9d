"""The observer's settings."""

from dataclasses import dataclass, field

from flops_contracts.declared import about, declared
from flops_contracts.roles import Role
from flops_runtime.settings import ActorSettings

PAGES_PORT = 2727
PORT_SETTING = "FLOPS_PAGES_PORT"


@dataclass(frozen=True)
class Settings:
    """Which project to follow, and how many of its events to keep."""

    actor: ActorSettings = field(metadata=about(given={"role": Role.OBSERVER}))
    pages_port: int = declared(
        PAGES_PORT, "Port of the observer's pages.", PORT_SETTING, maximum=65535
    )
    kept_events: int = declared(
        2000,
        "How many of the latest events are kept in memory.",
        "FLOPS_KEPT_EVENTS",
        minimum=1,
        maximum=100_000,
    )

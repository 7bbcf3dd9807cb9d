"""The observer's settings: its order, and what an operator can change."""

from dataclasses import dataclass, field

from flops_contracts.declared import about, declared
from flops_contracts.orders import ObserveOrder
from flops_contracts.roles import Role
from flops_runtime.settings import ActorSettings


@dataclass(frozen=True)
class Settings:
    """Which project to follow, and how many of its events to keep."""

    actor: ActorSettings = field(metadata=about(given={"role": Role.OBSERVER}))
    order: ObserveOrder
    kept_events: int = declared(
        2000,
        "How many of the latest events are kept in memory.",
        "FLOPS_KEPT_EVENTS",
        minimum=1,
        maximum=100_000,
    )

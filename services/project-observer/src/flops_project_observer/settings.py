"""What the observer is told from outside."""

from dataclasses import dataclass

from flops_contracts.roles import Role
from flops_runtime.environment import Environment
from flops_runtime.settings import ActorSettings

PAGES_PORT = 2727
PORT_SETTING = "FLOPS_PAGES_PORT"


@dataclass(frozen=True)
class Settings:
    """Whose events to follow, and how many of them to keep."""

    actor: ActorSettings
    pages_port: int
    kept_events: int

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; raise ``BadSettingsError`` with everything that is wrong."""
        settings = cls(
            actor=ActorSettings.from_env(environment, Role.OBSERVER),
            pages_port=environment.whole(
                PORT_SETTING,
                PAGES_PORT,
                help="Port of the observer's pages.",
                maximum=65535,
            ),
            kept_events=environment.whole(
                "FLOPS_KEPT_EVENTS",
                2000,
                help="How many of the latest events are kept in memory.",
                minimum=1,
                maximum=100_000,
            ),
        )
        environment.check()
        return settings

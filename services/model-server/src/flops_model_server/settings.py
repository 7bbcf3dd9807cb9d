"""What the model server is told from outside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flops_contracts.roles import Role
from flops_runtime.environment import Environment
from flops_runtime.settings import ActorSettings

PORT: Final = 8080
PORT_SETTING: Final = "FLOPS_MODEL_PORT"


@dataclass(frozen=True)
class Settings:
    """Which model to serve, and where."""

    actor: ActorSettings
    model_path: Path
    port: int = PORT

    @classmethod
    def from_env(cls, environment: Environment) -> "Settings":
        """Read them; raise ``BadSettingsError`` with every problem at once."""
        settings = cls(
            actor=ActorSettings.from_env(environment, Role.MODEL_SERVER),
            model_path=environment.path(
                "FLOPS_MODEL_PATH", help="Folder of the MLflow model; its image sets it."
            ),
            port=environment.whole(
                PORT_SETTING, PORT, help="Port of the inference API.", maximum=65535
            ),
        )
        environment.check()
        return settings

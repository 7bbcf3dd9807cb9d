"""The model server's settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flops_contracts.declared import about, declared
from flops_contracts.roles import Role
from flops_runtime.settings import ActorSettings

PORT: Final = 8080
PORT_SETTING: Final = "FLOPS_MODEL_PORT"


@dataclass(frozen=True)
class Settings:
    """Which model to serve, and where."""

    actor: ActorSettings = field(metadata=about(given={"role": Role.MODEL_SERVER}))
    model_path: Path = field(
        metadata=about("Folder of the MLflow model; its image sets it.", "FLOPS_MODEL_PATH")
    )
    port: int = declared(PORT, "Port of the inference API.", PORT_SETTING, maximum=65535)

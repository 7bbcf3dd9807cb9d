"""The model server's settings: its order, and the model that its image holds."""

from dataclasses import dataclass, field
from pathlib import Path

from flops_contracts.declared import about
from flops_contracts.orders import ServeOrder
from flops_contracts.roles import Role
from flops_runtime.settings import ActorSettings


@dataclass(frozen=True)
class Settings:
    """Which model to serve, and where."""

    actor: ActorSettings = field(metadata=about(given={"role": Role.MODEL_SERVER}))
    model_path: Path = field(
        metadata=about("Folder of the MLflow model; its image sets it.", "FLOPS_MODEL_PATH")
    )
    order: ServeOrder

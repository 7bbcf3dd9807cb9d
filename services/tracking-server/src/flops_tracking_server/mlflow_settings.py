"""The environment variables of MLflow's server process.

``mlflow server`` is a launcher that imports MLflow, sets the variables whose names start with an
underscore, and starts uvicorn, which imports MLflow again. Setting them here halves start time and
memory. The names are internal to MLflow, so ``check_names`` compares them with its code.
"""

import uuid
from collections.abc import Iterable

from flops_tracking_server.settings import Settings

ARTIFACTS_THROUGH_THE_SERVER = "mlflow-artifacts:/"

NAMES = {
    "BACKEND_STORE_URI_ENV_VAR": "_MLFLOW_SERVER_FILE_STORE",
    "REGISTRY_STORE_URI_ENV_VAR": "_MLFLOW_SERVER_REGISTRY_STORE",
    "ARTIFACT_ROOT_ENV_VAR": "_MLFLOW_SERVER_ARTIFACT_ROOT",
    "ARTIFACTS_DESTINATION_ENV_VAR": "_MLFLOW_SERVER_ARTIFACT_DESTINATION",
    "SERVE_ARTIFACTS_ENV_VAR": "_MLFLOW_SERVER_SERVE_ARTIFACTS",
}
"""The constants of ``mlflow.server.constants`` and their values."""


class RenamedVariableError(Exception):
    """The installed MLflow reads other variables than those that we set."""


def mlflow_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make MLflow serve the stores of ``settings``."""
    artifacts = settings.artifact_store
    return {
        NAMES["BACKEND_STORE_URI_ENV_VAR"]: settings.stores.backend_url,
        NAMES["REGISTRY_STORE_URI_ENV_VAR"]: settings.stores.backend_url,
        NAMES["ARTIFACT_ROOT_ENV_VAR"]: ARTIFACTS_THROUGH_THE_SERVER,
        NAMES["ARTIFACTS_DESTINATION_ENV_VAR"]: artifacts.url,
        **artifacts.variables,
        NAMES["SERVE_ARTIFACTS_ENV_VAR"]: "true",
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(accepted_hosts(settings)),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def accepted_hosts(settings: Settings) -> tuple[str, ...]:
    """Return the Host headers that MLflow accepts; it refuses others to prevent DNS rebinding."""
    bound = settings.process.bind_address
    hosts = ["localhost", "127.0.0.1", *settings.order.allowed_hosts]
    if bound not in {"0.0.0.0", "::"}:  # noqa: S104 - compared with, not bound to
        hosts.append(bound)
    with_ports = [pattern for host in hosts for pattern in (host, f"{host}:*")]
    return (*dict.fromkeys(with_ports), *_service_addresses())


def _service_addresses() -> Iterable[str]:
    # A service does not know its own address, so all of 10.30.x.y is accepted. MLflow matches by
    # fnmatch, where 10.30.* would also accept names such as 10.30.example.org.
    octets = ["[0-9]" * digits for digits in (1, 2, 3)]
    return [f"10.30.{third}.{fourth}:*" for third in octets for fourth in octets]


def check_names(actual: dict[str, str]) -> None:
    """Compare ``actual`` (constant to name) with ours; raise ``RenamedVariableError``."""
    renamed = {key for key, name in NAMES.items() if actual.get(key) != name}
    if renamed:
        raise RenamedVariableError(f"MLflow renamed {', '.join(sorted(renamed))}")

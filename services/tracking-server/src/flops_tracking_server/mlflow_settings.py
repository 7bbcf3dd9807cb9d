"""The environment variables of MLflow's server process.

``mlflow server`` is a launcher that imports MLflow, sets the variables whose names start with an
underscore, and starts uvicorn, which imports MLflow again. Setting them here halves start time and
memory. The names are internal to MLflow, so ``check_names`` compares them with its code.
"""

import uuid

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
        # MLflow checks hosts and origins against fixed lists, but a service does not know under
        # which address users reach it; same_origin.py checks instead.
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def check_names(actual: dict[str, str]) -> None:
    """Compare ``actual`` (constant to name) with ours; raise ``RenamedVariableError``."""
    renamed = {key for key, name in NAMES.items() if actual.get(key) != name}
    if renamed:
        raise RenamedVariableError(f"MLflow renamed {', '.join(sorted(renamed))}")

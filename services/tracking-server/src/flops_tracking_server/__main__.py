"""``python -m flops_tracking_server`` serves; ``... check`` imports all that is needed."""

import os
import sys

from flops_contracts.exit_codes import ExitCode
from flops_runtime.environment import read
from flops_runtime.logs import configure_logging
from flops_runtime.one_shot import TerminationRequested, exit_with, terminate_cleanly
from flops_runtime.status import Status, StatusServer
from flops_tracking_server.mlflow_settings import check_names, mlflow_environment
from flops_tracking_server.settings import Settings


def run() -> ExitCode:
    """Serve until terminated."""
    settings = read(Settings, os.environ)
    configure_logging(settings.process.log_level, settings.process.log_format)
    os.environ.update(mlflow_environment(settings))
    from flops_tracking_server.server import serve  # noqa: PLC0415 - MLflow reads the environment

    status = Status("tracking_server")
    # While it serves, uvicorn handles the signal, and raises it again after its shutdown.
    terminate_cleanly()
    try:
        with StatusServer(settings.process, status):
            serve(settings, status)
    except TerminationRequested:
        return ExitCode.TERMINATED
    return ExitCode.DONE


def check() -> None:
    """Import the modules for serving, and check the names that we rely on in MLflow."""
    from mlflow.server import constants  # noqa: PLC0415 - takes seconds
    from mlflow.server.fastapi_app import app  # noqa: F401, PLC0415

    import flops_tracking_server.server  # noqa: F401, PLC0415

    check_names(vars(constants))
    print("ok")  # noqa: T201 - the command's output


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check()
    else:
        exit_with(run)

"""Start an aggregator: ``python -m flops_aggregator``, or ``... check`` to see that it could."""

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from flops_aggregator.settings import Settings
from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from flops_runtime.allocator import give_memory_back
from flops_runtime.environment import read
from flops_runtime.logs import what_is_printed_is_logged
from flops_runtime.one_shot import exit_with, run_one_shot
from flops_runtime.reporting import Reporter

QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    # What is retried is decided in tracking.py; mlflow's own patience would be minutes a request.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.2",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def start() -> ExitCode:
    """Read the settings and run the training."""
    settings = read(Settings, os.environ)
    _quieten()
    give_memory_back()

    def work(reporter: Reporter) -> tuple[Kind, Any]:
        # Imported late: Flower takes a second, and the manager should hear of us before that.
        from flops_aggregator.bootstrap import aggregate  # noqa: PLC0415

        with what_is_printed_is_logged():
            return aggregate(settings, reporter)

    return run_one_shot(settings.actor, work)


def check() -> ExitCode:
    """Import what an aggregator needs."""
    _quieten()
    for module in ("flops_aggregator.bootstrap", "mlflow", "pandas"):
        importlib.import_module(module)
    print("ok")  # noqa: T201 - the answer of this command
    return ExitCode.DONE


def _quieten() -> None:
    """Flower and mlflow read these when they are imported."""
    os.environ.update(QUIET)
    os.environ.setdefault("FLWR_HOME", str(Path(tempfile.gettempdir()) / f"flwr-{os.getpid()}"))


if __name__ == "__main__":
    exit_with(check if sys.argv[1:] == ["check"] else start)

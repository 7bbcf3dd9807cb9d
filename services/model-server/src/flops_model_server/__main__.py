"""Starts the model server: ``python -m flops_model_server [check]``."""

import importlib
import os
import sys
from typing import Any

from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from flops_model_server.flavors import keras_backend
from flops_model_server.settings import Settings
from flops_runtime.environment import read
from flops_runtime.one_shot import exit_with, run_one_shot
from flops_runtime.reporting import Reporter


def main() -> ExitCode:
    """Serve the model; ``run_one_shot`` reports failures and ends on SIGTERM."""
    settings = read(Settings, os.environ)
    backend = keras_backend(settings.model_path)
    if backend:
        # Keras reads it when it is imported; MLflow records it, but does not apply it.
        os.environ.setdefault("KERAS_BACKEND", backend)

    def work(reporter: Reporter) -> tuple[Kind, Any]:
        # MLflow takes seconds to import; this process should report to the manager earlier.
        from flops_model_server.serving import serve  # noqa: PLC0415

        return serve(settings, reporter)

    return run_one_shot(settings.actor, work)


def check() -> ExitCode:
    """Import the modules that are otherwise imported only on use."""
    for module in ("flops_model_server.serving", "fastapi", "pandas"):
        importlib.import_module(module)
    print("ok")  # noqa: T201 - the command's output
    return ExitCode.DONE


if __name__ == "__main__":
    exit_with(check if sys.argv[1:] == ["check"] else main)

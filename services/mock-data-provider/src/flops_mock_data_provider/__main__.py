"""Start the mock data provider; ``check`` only proves that what it needs can be imported."""

import importlib
import os
import sys

from flops_contracts.exit_codes import ExitCode
from flops_mock_data_provider.providing import provide
from flops_mock_data_provider.settings import Settings
from flops_runtime.environment import Environment
from flops_runtime.one_shot import exit_with, run_one_shot

LIBRARY_SETTINGS = {
    # Nothing calls home, nothing waits long, nothing draws bars into a log.
    "DO_NOT_TRACK": "1",
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DOWNLOAD_TIMEOUT": "30",
    "HF_HUB_ETAG_TIMEOUT": "10",
}
"""What datasets and Flower Datasets read when they are imported, unless it is set already."""


def main() -> ExitCode:
    """Run the service and return its exit code."""
    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
    if sys.argv[1:] == ["check"]:
        for module in ("datasets", "flwr_datasets.partitioner", "PIL.Image"):
            importlib.import_module(module)
        print("ok")  # noqa: T201 - the answer
        return ExitCode.DONE
    settings = Settings.from_env(Environment(os.environ))
    return run_one_shot(settings.actor, lambda reporter: provide(settings, reporter))


if __name__ == "__main__":
    exit_with(main)

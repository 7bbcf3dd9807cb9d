"""Start the mock data provider: ``python -m flops_mock_data_provider [check | split FOLDER]``.

``check`` only imports all modules; ``split`` writes the partitions to files.
"""

import importlib
import json
import os
import sys
from pathlib import Path

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_mock_data_provider.providing import provide, write_parts
from flops_mock_data_provider.settings import Settings, SplitSettings
from flops_runtime.environment import read
from flops_runtime.logs import configure_logging
from flops_runtime.one_shot import exit_with, run_one_shot

LIBRARY_SETTINGS = {
    # No telemetry, short timeouts, and no progress bars in a log.
    "DO_NOT_TRACK": "1",
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DOWNLOAD_TIMEOUT": "30",
    "HF_HUB_ETAG_TIMEOUT": "10",
}
"""Defaults for the variables that datasets and Flower Datasets read on import."""


def main() -> ExitCode:
    """Run the service and return its exit code."""
    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
    if sys.argv[1:] == ["check"]:
        for module in ("datasets", "flwr_datasets.partitioner", "PIL.Image"):
            importlib.import_module(module)
        print("ok")  # noqa: T201 - the command's output
        return ExitCode.DONE
    if sys.argv[1:2] == ["split"]:
        return split(Path("".join(sys.argv[2:3])))
    settings = read(Settings, os.environ)
    return run_one_shot(settings.actor, lambda reporter: provide(settings, reporter))


def split(folder: Path) -> ExitCode:
    """Write the partitions to files; print a JSON array of their rows."""
    try:
        settings = read(SplitSettings, os.environ)
        configure_logging(settings.process.log_level, settings.process.log_format)
        rows = write_parts(settings, folder)
    except FlopsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's output
        return error.exit_code
    print(json.dumps(rows))  # noqa: T201 - the command's output
    return ExitCode.DONE


if __name__ == "__main__":
    exit_with(main)

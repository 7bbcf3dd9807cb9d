"""Start the manager: ``python -m flops_manager api`` or ``worker``; ``check`` imports it all."""

import argparse
import importlib
import logging
import os
import sys

from flops_contracts.errors import FlopsError
from flops_manager.domain.errors import OrchestratorRefusedError
from flops_manager.settings import settings_from
from flops_runtime.logs import configure_logging

logger = logging.getLogger(__name__)


def check() -> None:
    """Import what is needed at run time, the lazy parts too."""
    for module in ("entrypoints.server", "entrypoints.worker", "adapters.data_servers"):
        importlib.import_module(f"flops_manager.{module}")
    importlib.import_module("flops_flight.client")
    print("ok")  # noqa: T201 - for checks of the image


def run(process: str) -> None:
    """Read the settings and run one of the two processes."""
    settings = settings_from(os.environ)
    configure_logging(settings.process.log_level, settings.process.log_format)
    if not settings.oakestra_password:
        missing = OrchestratorRefusedError.without_password(settings.oakestra_user)
        logger.warning("%s %s", missing.reason, missing.hint)
    if process == "api":
        from flops_manager.entrypoints.server import serve  # noqa: PLC0415 - the worker has no Flask

        serve(settings)
    else:
        from flops_manager.entrypoints.worker import work  # noqa: PLC0415 - the API has no loop

        work(settings)


def main() -> None:
    """Run what the command line asks for; an expected error ends it with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flops_manager", description=__doc__)
    parser.add_argument("process", choices=("api", "worker", "check"))
    process = parser.parse_args().process
    try:
        check() if process == "check" else run(process)
    except FlopsError as error:
        print(f"{error.reason} {error.hint}".strip(), file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()

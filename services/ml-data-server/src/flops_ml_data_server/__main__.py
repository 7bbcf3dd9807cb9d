"""Starts the data server, or sends a command to the one in this container.

``check`` only verifies that all modules can be imported.
"""

import os
import sys

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_ml_data_server.bootstrap import run
from flops_ml_data_server.commands import command
from flops_ml_data_server.settings import Settings, variables_with_files
from flops_runtime.environment import read
from flops_runtime.one_shot import exit_with


def main() -> ExitCode:
    """Run the service and return its exit code."""
    if sys.argv[1:] == ["check"]:
        print("ok")  # noqa: T201 - the command's output
        return ExitCode.DONE
    try:
        settings = read(Settings, variables_with_files(os.environ))
        if sys.argv[1:]:
            return command(sys.argv[1:], settings)
        return run(settings)
    except FlopsError as error:
        print(f"{error.reason}. {error.hint}", file=sys.stderr)  # noqa: T201 - may lack a log
        return error.exit_code


if __name__ == "__main__":
    exit_with(main)

"""``python -m flops_local_oakestra`` runs the root; ``check`` only tests that it is installed."""

import os
import signal
import sys
import threading

from flops_contracts.exit_codes import ExitCode
from flops_local_oakestra.bootstrap import build
from flops_local_oakestra.entrypoints.serving import serve
from flops_local_oakestra.ports.runtime import NotReadyError
from flops_local_oakestra.settings import Settings
from flops_runtime.environment import BadSettingsError, read
from flops_runtime.logs import configure_logging


def main() -> int:
    """Run until SIGTERM or Ctrl-C; a second Ctrl-C changes nothing."""
    if sys.argv[1:] == ["check"]:
        print("ok")  # noqa: T201 - the answer
        return ExitCode.DONE
    try:
        settings = read(Settings, os.environ)
    except BadSettingsError as error:
        print(f"{error.reason}. {error.hint}", file=sys.stderr)  # noqa: T201 - no logging yet
        return error.exit_code
    configure_logging(settings.logging.log_level, settings.logging.log_format)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    try:
        is_clean = serve(settings, build(settings, os.environ), stopped)
    except NotReadyError as error:
        print(f"{error}.", file=sys.stderr)  # noqa: T201 - for the user at the terminal
        return ExitCode.BAD_SETTINGS
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)  # noqa: T201 - for the user at the terminal
        return ExitCode.BUG
    return ExitCode.DONE if is_clean else ExitCode.BUG


if __name__ == "__main__":
    sys.exit(main())

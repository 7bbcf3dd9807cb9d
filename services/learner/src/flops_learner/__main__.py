"""Start a learner: ``python -m flops_learner``, or ``... check`` to see that it could start."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from flops_learner.settings import Settings
from flops_runtime.environment import Environment
from flops_runtime.one_shot import exit_with, run_one_shot
from flops_runtime.reporting import Reporter

QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


def start() -> ExitCode:
    """Read the settings and learn."""
    environment = Environment(os.environ)
    settings = Settings.from_env(environment)
    environment.check()
    _quieten()

    def work(reporter: Reporter) -> tuple[Kind, Any]:
        # Imported late: Flower takes a second, and the manager should hear of us before that.
        from flops_learner.bootstrap import learn  # noqa: PLC0415

        return learn(settings, reporter)

    return run_one_shot(settings.actor, work)


def check() -> ExitCode:
    """Import what a learner needs."""
    _quieten()
    import flops_learner.bootstrap  # noqa: F401, PLC0415

    print("ok")  # noqa: T201 - the answer of this command
    return ExitCode.DONE


def _quieten() -> None:
    """Flower reads these when it is imported."""
    os.environ.update(QUIET)
    os.environ.setdefault("FLWR_HOME", str(Path(tempfile.gettempdir()) / f"flwr-{os.getpid()}"))


if __name__ == "__main__":
    exit_with(check if sys.argv[1:] == ["check"] else start)

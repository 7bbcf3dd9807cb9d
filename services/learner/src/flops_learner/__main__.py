"""Start a learner: ``python -m flops_learner``.

``... check`` tests that it can start, ``... try [FLAVOR]`` that the repository's methods work.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from flops_learner.settings import Settings
from flops_runtime.allocator import give_memory_back
from flops_runtime.environment import read
from flops_runtime.logs import what_is_printed_is_logged
from flops_runtime.one_shot import exit_with, run_one_shot
from flops_runtime.reporting import Reporter

QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


def start() -> ExitCode:
    """Read the settings and learn."""
    settings = read(Settings, os.environ)
    _quieten()
    give_memory_back()

    def work(reporter: Reporter) -> tuple[Kind, Any]:
        # Imported late: Flower takes a second, and the first heartbeat should not wait for it.
        from flops_learner.bootstrap import learn  # noqa: PLC0415

        with what_is_printed_is_logged():
            return learn(settings, reporter)

    return run_one_shot(settings.actor, work)


def check() -> ExitCode:
    """Import what a learner needs."""
    _quieten()
    import flops_learner.bootstrap  # noqa: F401, PLC0415

    print("ok")  # noqa: T201 - the output of this command
    return ExitCode.DONE


def attempt() -> ExitCode:
    """Try the repository in the working folder, and print the findings as the last line."""
    _quieten()
    import pyarrow.parquet as pq  # noqa: PLC0415

    from flops_learner import made_up_rows, trial  # noqa: PLC0415
    from flops_utils import data_source  # noqa: PLC0415

    trial.limit()
    with tempfile.TemporaryDirectory(prefix="flops-rows-") as folder:
        if not os.environ.get("FLOPS_DATASET_FILE"):
            rows = Path(folder) / "rows.parquet"
            pq.write_table(made_up_rows.digits(), rows)
            data_source.use(data_source.FileSource(rows))
        results = trial.findings("".join(sys.argv[2:3]))
    print("\n" + trial.as_json(results))  # noqa: T201 - the answer of this command
    return ExitCode.DONE if all(finding.is_ok for finding in results) else ExitCode.USER_CODE_FAILED


def _quieten() -> None:
    """Flower reads these when it is imported."""
    os.environ.update(QUIET)
    os.environ.setdefault("FLWR_HOME", str(Path(tempfile.gettempdir()) / f"flwr-{os.getpid()}"))


if __name__ == "__main__":
    COMMANDS = {"check": check, "try": attempt}
    exit_with(COMMANDS.get("".join(sys.argv[1:2]), start))

"""Start a simulation: ``python -m flops_simulator PLAN.json``; ``check`` sees that it could."""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_runtime.allocator import give_memory_back
from flops_runtime.one_shot import exit_with

QUIET: Final = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


def main() -> ExitCode:
    """Simulate the plan that is named, and print what there is to know as JSON lines."""
    os.environ.update(QUIET)
    if sys.argv[1:] == ["check"]:
        importlib.import_module("flops_simulator.simulation")
        print("ok")  # noqa: T201 - the answer of this command
        return ExitCode.DONE
    # The output of user code must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(kind: str, content: dict[str, Any]) -> None:
        answers.write(json.dumps({"kind": kind, **content}) + "\n")
        answers.flush()

    give_memory_back()
    from flops_grid.messages.flower_internals import route_logs  # noqa: PLC0415 - a second to import
    from flops_simulator.plan import Plan  # noqa: PLC0415
    from flops_simulator.simulation import simulate  # noqa: PLC0415

    route_logs()
    try:
        outcome = simulate(Plan.read(Path("".join(sys.argv[1:2]))), tell)
    except FlopsError as error:
        tell("failed", {"reason": error.reason, "hint": error.hint, "where": error.where})
        return error.exit_code
    best = {key: value for key, value in vars(outcome.best).items() if key != "model"}
    tell("done", {**vars(outcome), "best": best})
    return ExitCode.DONE


if __name__ == "__main__":
    exit_with(main)

"""``python -m flops_project_observer`` follows a project; ``... check`` imports its modules."""

import os
import sys

from flops_project_observer.observer import run
from flops_project_observer.settings import Settings
from flops_runtime.environment import read
from flops_runtime.one_shot import exit_with


def write_line(line: str) -> None:
    """Print without buffering: the orchestrator shows standard output as the service's log."""
    print(line, flush=True)  # noqa: T201 - printing is this service's purpose


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        write_line("ok")
    else:
        exit_with(lambda: run(read(Settings, os.environ), write_line))

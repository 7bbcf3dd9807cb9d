"""`flops local up` as a separate process that outlives this command."""

import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flops_cli.errors import LocalSuiteError
from flops_cli.local.places import Places
from flops_cli.local.processes import STOP_SECONDS, wait_for
from flops_cli.local.running import Running, suite_in

START_SECONDS: Final = 180.0
SHOWN_LINES: Final = 20


def start_detached(places: Places, state: Path, variables: Mapping[str, str]) -> Running:
    """Start the suite and return once it answers; raise ``LocalSuiteError`` with its last lines."""
    log = places.home / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    where = {"FLOPS_HOME": str(places.home), "FLOPS_REPOSITORY": str(places.repository)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flops_cli", "local", "up"],
            env={**variables, **where},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(
            lambda: _is_ready_or_ended(process, state), START_SECONDS, "the suite does not answer"
        )
    except BaseException:
        process.terminate()
        process.wait(4 * STOP_SECONDS)
        raise
    running = suite_in(state)
    if running is None:
        with log.open(encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip() for line in deque(file, maxlen=SHOWN_LINES)]
        raise LocalSuiteError("the suite did not start", hint=f"Its log: {log}", errors=lines)
    return running


def _is_ready_or_ended(process: "subprocess.Popen[bytes]", state: Path) -> bool:
    running = suite_in(state)
    return process.poll() is not None or (running is not None and running.is_ready)

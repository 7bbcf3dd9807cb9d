"""A MongoDB of its own for a test: the embedded wire server, in a process of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.broker import free_port, is_listening
from support.process_logs import new_log
from support.waiting import until

PROGRAM = "secantusd-py"


def store_program():
    """Return the server's program, or None where it is not installed."""
    named = os.environ.get("FLOPS_TEST_STORE")
    beside = Path(sys.executable).with_name(PROGRAM)
    embedded = Path(__file__).parents[2] / ".flops" / "envs" / "embedded" / "bin" / PROGRAM
    for candidate in (named, str(beside), str(embedded), shutil.which(PROGRAM)):
        if candidate and Path(candidate).exists():
            return candidate
    return None


@contextmanager
def running_store() -> Iterator[str]:
    """Start a server on a free port; yield its URL, and stop it by its pid."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        with new_log("store").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(store_program(), "--host", "127.0.0.1", "--port", str(port)),
                    *("--storage-path", folder, "--standalone", "--cache-size", "64M"),
                ],
                stdout=log,
                stderr=log,
            )
        try:
            until(lambda: is_listening(port), 30, what="the store listens")
            yield f"mongodb://127.0.0.1:{port}/flops"
        finally:
            process.terminate()
            process.wait(300)

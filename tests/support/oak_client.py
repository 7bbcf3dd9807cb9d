"""Oakestra's published command line, as a user has it: from the index, with a home of its own."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.published_clients import client_environment

# The command line's own limits are far beyond: it only may not hang the tests.
RUN_SECONDS = 120


def shipped_slas() -> dict[str, dict[str, Any]]:
    """Return the SLAs that the client ships, by the kind (folder) and name of their files."""
    (folder,) = client_environment("oak-cli").glob(
        "lib/python3*/site-packages/oak_cli/addons/flops/SLAs"
    )
    return {
        f"{file.parent.name}/{file.stem}": json.loads(file.read_text())
        for file in folder.glob("*/*.json")
    }


class Oak:
    """`oak`, run in a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self._program = client_environment("oak-cli") / "bin" / "oak"
        self._home = home

    def set_up(self, address: str) -> None:
        """Set it up as its manual asks of every user; both of its ports are at this one address."""
        self("c", "local-machine-purpose", "--purpose", "addon_support")
        self("c", "key-vars", "configure", "system_manager_ip", "--value", address)

    def write_sla(self, kind: str, name: str, sla: Mapping[str, Any]) -> None:
        """Put an SLA beside those that it ships; ``kind`` is ``projects`` or ``mocks``."""
        file = self._home / "oak_cli" / "addons" / "flops" / kind / f"{name}.json"
        file.write_text(json.dumps(sla))

    def flops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `oak addon flops ...`."""
        return self("addon", "flops", *arguments)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `oak ...`; standard output and error are one text, as on a terminal."""
        environment = {
            "HOME": str(self._home),
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "NO_PROXY": "127.0.0.0/8",
        }
        return subprocess.run(
            [self._program, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

"""Published programs that the tests drive, each in an environment of its own, from its lock."""

import os
import sys
from pathlib import Path

from flops_cli.local.environments import Installation, Installer
from flops_cli.local.places import find_places

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"


def client_environment(name: str) -> Path:
    """Return the environment of ``clients/NAME.lock``, which is made when the lock has changed."""
    places = find_places(None, None, ROOT)
    client = Installation(name, places.environment(name), CLIENTS / f"{name}.lock")
    uv = str(Path(sys.executable).with_name("uv"))
    installer = Installer(places, uv, sys.executable, dict(os.environ))
    installer.install(installer.outdated([client]), lambda *_: None)
    return client.folder

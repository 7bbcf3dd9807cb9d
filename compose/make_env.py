# ruff: noqa: INP001 - a script beside the files that it is for, no package
"""Writes compose/.env: a random password for everything that has one, and this machine's address.

Existing values are kept; only missing ones are added. ``make env`` runs it.
"""

import argparse
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from images import VERSION

FILE: Final = Path(__file__).with_name(".env")

SECRETS: Final = (
    "FLOPS_MONGO_PASSWORD",
    "FLOPS_MQTT_MANAGER_PASSWORD",
    "FLOPS_MQTT_ACTOR_PASSWORD",
    "FLOPS_REGISTRY_PASSWORD",
    "FLOPS_BACKEND_STORE_ADMIN_PASSWORD",
    "FLOPS_BACKEND_STORE_PASSWORD",
    "FLOPS_ARTIFACT_STORE_USER",
    "FLOPS_ARTIFACT_STORE_PASSWORD",
    "FLOPS_GRID_TLS_SECRET",
    "FLOPS_GRAFANA_PASSWORD",
)
ADDRESSES: Final = (
    "SYSTEM_MANAGER_IP",
    "FLOPS_MANAGER_IP",
    "FLOPS_MQTT_BROKER_IP",
    "FLOPS_IMAGE_REGISTRY_IP",
    "ARTIFACT_STORE_IP",
    "BACKEND_STORE_IP",
)
ROOT_PASSWORD: Final = "FLOPS_OAKESTRA_PASSWORD"  # noqa: S105 - a name

SOCKET: Final = "/var/run/docker.sock"
BRIDGE: Final = "172.17.0.1"
"""The machine on docker's own bridge: containers and this machine reach it, nobody else."""

HEAD: Final = (
    "# Written by `make env`; not for the repository. What is here is kept, what lacks is added."
)


def values_from(text: str) -> dict[str, str]:
    """Return the assignments of an environment file."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def completed(
    values: Mapping[str, str], address: str, root_password: str, more: Mapping[str, str]
) -> dict[str, str]:
    """Return ``values`` with everything that the compose files need."""
    defaults = {ROOT_PASSWORD: root_password, **dict.fromkeys(ADDRESSES, address), **more}
    defaults["FLOPS_IMAGE_TAG"] = VERSION
    # Hexadecimal, because some of them become part of a URL.
    defaults |= {name: secrets.token_hex(24) for name in SECRETS}
    given = {name: value for name, value in values.items() if value}
    return {**defaults, **given}


def for_one_machine(address: str, engine: str) -> dict[str, str]:
    """Return what compose/local.yml asks for beyond: its own root, and the engine's socket."""
    socket_file = engine.removeprefix("unix://") if engine.startswith("unix://") else SOCKET
    try:
        group = Path(socket_file).stat().st_gid
    except OSError as error:
        sys.exit(f"no container engine at {socket_file}: {error.strerror}")
    return {
        ROOT_PASSWORD: secrets.token_hex(24),
        "FLOPS_PUBLISH_ADDRESS": address,
        "FLOPS_ENGINE_SOCKET": socket_file,
        "FLOPS_ENGINE_GROUP": str(group),
    }


def own_address() -> str:
    """Return the address that others reach this machine at, as far as it can tell."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the system only picks the interface that it would use.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def write(file: Path, values: Mapping[str, str]) -> None:
    """Replace the file at once, readable by its owner only."""
    text = "\n".join([HEAD, *(f"{name}={value}" for name, value in sorted(values.items()))])
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
        new.write(text + "\n")
    os.replace(new.name, file)  # noqa: PTH105 - of the same family as the line above


def main() -> None:
    """Complete the file, and print the remaining steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--address", default="", help="address of this machine, as others reach it")
    parser.add_argument(
        "--local", action="store_true", help="for compose/local.yml: only this machine comes in"
    )
    chosen = parser.parse_args()
    variables = os.environ  # noqa: TID251 - a program of its own
    before = values_from(chosen.file.read_text()) if chosen.file.exists() else {}
    address = chosen.address or (BRIDGE if chosen.local else own_address())
    more = for_one_machine(address, variables.get("DOCKER_HOST", "")) if chosen.local else {}
    # Not an argument: it is secret.
    values = completed(before, address, variables.get(ROOT_PASSWORD, ""), more)
    write(chosen.file, values)
    print(f"{chosen.file}: {len(values) - len(before)} values added")  # noqa: T201
    if not values[ROOT_PASSWORD]:
        print(f"Set {ROOT_PASSWORD} there: the password of the manager's account at the root.")  # noqa: T201


if __name__ == "__main__":
    main()

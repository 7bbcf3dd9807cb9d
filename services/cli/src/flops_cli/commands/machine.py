"""Shared by commands that install and start processes on this machine."""

import platform
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from flops_cli.commands.context import Context
from flops_cli.errors import LocalSuiteError
from flops_cli.local.environments import Installer, installations
from flops_cli.local.places import Places, find_places
from flops_cli.local.processes import adopt_orphans, end_descendants, interrupt_on_signals
from flops_cli.local.suite import require_supported_system
from flops_cli.screen import Screen


@dataclass(frozen=True)
class Machine:
    """The folders and the screen of a command that starts processes."""

    context: Context
    places: Places
    screen: Screen


@contextmanager
def tidied(context: Context) -> Iterator[Machine]:
    """Yield the machine; at the end of the block, stop every process that is left."""
    require_supported_system(platform.system())
    settings = context.settings
    places = find_places(settings.repository, settings.home, Path.cwd())
    adopt_orphans()
    interrupt_on_signals()
    try:
        with context.screen() as screen:
            yield Machine(context, places, screen)
    finally:
        left = end_descendants()
        if left:
            click.echo(f"{left} processes had to be killed.", err=True)


def install_services(machine: Machine, only: Collection[str] = ()) -> list[str]:
    """Install the outdated environments of all services or of ``only`` some; return their names."""
    uv = _find_uv(machine.context)
    installer = Installer(machine.places, uv, sys.executable, machine.context.variables)
    planned = installations(machine.places)
    outdated = installer.outdated(item for item in planned if not only or item.name in only)

    def announce(name: str, done: int, total: int) -> None:
        machine.screen.bar("install", f"installing {name}".strip(), done, total)

    installer.install(outdated, announce)
    machine.screen.drop_bars("install")
    names = [installation.name for installation in outdated]
    if names:
        machine.screen.say(f"Installed: {', '.join(names)}.")
    return names


def _find_uv(context: Context) -> str:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv", path=context.variables["PATH"])
    if not uv:
        raise LocalSuiteError("uv is not on PATH", hint="Install it with `pip install uv`.")
    return uv

"""``flops local ...``: the embedded suite on this machine, and the demo."""

import platform
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from flops_cli.client import FlopsClient
from flops_cli.commands.context import Context, pass_context
from flops_cli.errors import LocalSuiteError
from flops_cli.local.demo import Demo, DemoWorld
from flops_cli.local.environments import Installer, installations
from flops_cli.local.network import find_network
from flops_cli.local.places import Places, find_places
from flops_cli.local.processes import (
    InterruptedByUserError,
    adopt_orphans,
    end_descendants,
    interrupt_on_signals,
)
from flops_cli.local.sample_repository import make_repository
from flops_cli.local.suite import ADMIN, Suite, require_supported_system
from flops_cli.local.summary import show_summary
from flops_cli.screen import Screen

SAMPLE = Path("docs/examples/ml-repos/mnist-sklearn")


@click.group()
def local() -> None:
    """Run all of FLOps on this machine, without containers."""


@local.command()
@pass_context
def install(context: Context) -> None:
    """Make the environments of all services, as their locks say."""
    with _tidied(context) as machine:
        _install(machine)


@local.command()
@pass_context
def up(context: Context) -> None:
    """Start the suite and keep it running until Ctrl-C; what it stores stays."""
    with _tidied(context) as machine:
        _install(machine)
        with _suite(machine, machine.places.home / "local") as suite:
            _say_where(suite, machine.screen)
            _keep_running(suite)
            machine.screen.say("\nStopping everything.")


@local.command()
@click.option("--keep", is_flag=True, envvar="KEEP", help="Keep all running until Ctrl-C.")
@pass_context
def demo(context: Context, keep: bool) -> None:
    """Provide data, train a federated model, serve it and ask it."""
    with _tidied(context) as machine:
        _install(machine)
        state = machine.places.home / "demo"
        shutil.rmtree(state, ignore_errors=True)
        source = machine.places.repository / SAMPLE
        with _suite(machine, state) as suite:
            repository = make_repository(source, state / "mnist-sklearn", context.variables)
            with _client(suite) as client:
                world = DemoWorld(machine.places, suite, client, ADMIN, state, repository)
                outcome = Demo(world, machine.screen).run()
            show_summary(outcome, machine.screen)
            if keep:
                _say_where(suite, machine.screen)
                _keep_running(suite)
            machine.screen.say("\nStopping everything.")


@dataclass(frozen=True)
class _Machine:
    """What a local command works with."""

    context: Context
    places: Places
    screen: Screen


@contextmanager
def _tidied(context: Context) -> Iterator[_Machine]:
    """Give what is needed, and leave no process behind, whatever happens in the block."""
    require_supported_system(platform.system())
    settings = context.settings
    places = find_places(settings.repository, settings.home, Path.cwd())
    adopt_orphans()
    interrupt_on_signals()
    try:
        with context.screen() as screen:
            yield _Machine(context, places, screen)
    finally:
        left = end_descendants()
        if left:
            click.echo(f"{left} processes had to be ended by force.", err=True)


def _install(machine: _Machine) -> None:
    uv = _find_uv(machine.context)
    installer = Installer(machine.places, uv, sys.executable, machine.context.variables)
    outdated = installer.outdated(installations(machine.places))

    def announce(name: str, done: int, total: int) -> None:
        machine.screen.bar("install", f"installing {name}".strip(), done, total)

    installer.install(outdated, announce)
    machine.screen.drop_bars("install")
    if outdated:
        machine.screen.say(f"Installed: {', '.join(one.name for one in outdated)}.")


def _find_uv(context: Context) -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv", path=context.variables["PATH"])
    if not found:
        raise LocalSuiteError("there is no uv", hint="Install it with `pip install uv`.")
    return found


@contextmanager
def _suite(machine: _Machine, state: Path) -> Iterator[Suite]:
    def announce(text: str) -> None:
        machine.screen.bar("suite", text)

    with Suite(machine.places, find_network(), state, machine.context.variables, announce) as suite:
        machine.screen.drop_bars("suite")
        network = suite.network
        where = f"manager at {network.api_url}, root orchestrator at {network.oakestra_url}"
        machine.screen.say(f"The suite runs: {where}.")
        yield suite


def _client(suite: Suite) -> FlopsClient:
    network = suite.network
    return FlopsClient.logged_in(
        network.api_url, network.oakestra_url, ADMIN, suite.secrets.root_password
    )


def _say_where(suite: Suite, screen: Screen) -> None:
    network = suite.network
    screen.say("")
    screen.say("Running until Ctrl-C.", "bold")
    password = suite.secrets.root_password
    screen.say(f"  manager  {network.api_url}/docs")
    screen.say(f"  root     {network.oakestra_url} (user {ADMIN}, password {password})")
    screen.say(f"  logs     {suite.logs}")
    screen.say("The command `flops` in another terminal:")
    screen.say(
        f"  export FLOPS_API_URL={network.api_url} FLOPS_OAKESTRA_URL={network.oakestra_url}"
    )
    screen.say(f"  export FLOPS_USER={ADMIN} FLOPS_PASSWORD={password}")
    screen.say(f'  alias flops="{sys.executable} -m flops_cli"')


def _keep_running(suite: Suite) -> None:
    pause = threading.Event()
    try:
        while True:
            suite.require_alive()
            pause.wait(1)
    except InterruptedByUserError:
        return  # as announced: this is how it is ended

"""``flops local ...``: the embedded suite on this machine, and the demo."""

import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from flops_cli.client import FlopsClient
from flops_cli.commands.context import Context, pass_context
from flops_cli.commands.groups import Group
from flops_cli.commands.machine import Machine, install_services, tidied
from flops_cli.commands.simulate import simulate
from flops_cli.local.demo import Demo, DemoWorld
from flops_cli.local.demo_plans import PLANS
from flops_cli.local.detached import start_detached
from flops_cli.local.network import Network, candidates_of, reserved_network
from flops_cli.local.places import find_places
from flops_cli.local.processes import InterruptedByUserError
from flops_cli.local.running import announce_ready, announced, end, require_none, suites_in
from flops_cli.local.sample_repository import make_repository
from flops_cli.local.suite import ADMIN, CHOSEN_BY_USERS, Secrets, Suite
from flops_cli.local.summary import show_summary
from flops_cli.screen import Screen
from flops_cli.settings import Settings, chosen
from flops_contracts.sla import Mode
from flops_runtime.environment import documented, variable_of

SAMPLE = Path("docs/examples/ml-repos/mnist-sklearn")
UP = "local"


@click.group(cls=Group)
def local() -> None:
    """Run all of FLOps on this machine, without containers."""


@local.command()
@pass_context
def install(context: Context) -> None:
    """Install the environments of all services from their locks."""
    with tidied(context) as machine:
        installed = install_services(machine)
    context.show({"installed": installed}, lambda: None if installed else click.echo("Up to date."))


@local.command()
@click.option("-d", "--detach", is_flag=True, help="Leave it running, until `flops local down`.")
@pass_context
def up(context: Context, *, detach: bool) -> None:
    """Start the suite and keep it running until Ctrl-C; its data stay."""
    with tidied(context) as machine:
        places = machine.places
        state = places.home / UP
        require_none(state)
        install_services(machine)
        if not detach:
            with _suite(machine, state, context.settings.local_topology) as suite:
                _say_where(suite.network, machine.screen)
                _print_addresses(context, suite.network)
                _keep_running(suite)
                machine.screen.say("\nStopping everything.")
            return
    # Outside of the block, because that stops every process at its end.
    running = start_detached(places, state, context.variables)
    network = Network(running.network)
    with context.screen() as screen:
        _say_where(network, screen, "Running until `flops local down`.")
    _print_addresses(context, network)


@local.command()
@pass_context
def down(context: Context) -> None:
    """Stop every suite that `up` or `demo --keep` left running; their data stay."""
    places = find_places(context.settings.repository, context.settings.home, Path.cwd())
    ended = []
    for running in suites_in(places.home).values():
        with context.screen() as screen:
            screen.bar("down", f"stopping the suite of {running.api_url}")
            end(running)
            screen.drop_bars()
        ended.append({"pid": running.pid, "api_url": running.api_url})
    text = "\n".join(f"Stopped the suite of {suite['api_url']}." for suite in ended)
    context.show({"ended": ended}, lambda: click.echo(text or "No suite is running."))


@local.command()
@click.option("--keep", is_flag=True, envvar="KEEP", help="Keep it running until Ctrl-C.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    default=Mode.CLASSIC.value,
    show_default=True,
    help="Train with one aggregator, or in two clusters below a root aggregator.",
)
@pass_context
def demo(context: Context, *, keep: bool, mode: str) -> None:
    """Provide data, train a federated model, serve it and query it."""
    with tidied(context) as machine:
        state = machine.places.home / "demo"
        require_none(state)
        install_services(machine)
        shutil.rmtree(state, ignore_errors=True)
        source = machine.places.repository / SAMPLE
        plan = PLANS[Mode(mode)]
        with _suite(machine, state, plan.topology) as suite:
            repository = make_repository(source, state / "mnist-sklearn", context.variables)
            with _client(suite) as client:
                world = DemoWorld(machine.places, suite, client, ADMIN, state, repository, plan)
                outcome = Demo(world, machine.screen).run()
            show_summary(outcome, machine.screen)
            if context.is_json:
                context.line(outcome.document)
            if keep:
                _say_where(suite.network, machine.screen)
                _print_addresses(context, suite.network)
                _keep_running(suite)
            machine.screen.say("\nStopping everything.")


@contextmanager
def _suite(
    machine: Machine, state: Path, topology: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Suite]:
    def announce(text: str) -> None:
        machine.screen.bar("suite", text)

    variables = machine.context.variables
    _say_unused(machine, topology)
    with (
        reserved_network(candidates_of(machine.context.settings.local_network)) as network,
        announced(state, network) as mine,
        Suite(machine.places, network, state, variables, announce, topology) as suite,
    ):
        machine.screen.drop_bars("suite")
        where = f"manager at {network.api_url}, root orchestrator at {network.oakestra_url}"
        machine.screen.say(f"The suite is running: {where}.")
        announce_ready(state, mine)
        yield suite


def _say_unused(machine: Machine, topology: Sequence[Mapping[str, Any]]) -> None:
    """Name the settings of services that the suite decides itself, where users have set them."""
    settings, variables = machine.context.settings, machine.context.variables
    names = {setting.name for setting in documented(Settings)} | CHOSEN_BY_USERS
    if topology != settings.local_topology:
        names.remove(variable_of(Settings, "local_topology"))
    used = chosen(variables, names)
    unused = sorted(
        name
        for name, value in variables.items()
        if value and name.startswith("FLOPS_") and name not in used
    )
    if unused:
        machine.screen.say(f"Set, but not used by the suite: {', '.join(unused)}.", "yellow")


def _client(suite: Suite) -> FlopsClient:
    network = suite.network
    return FlopsClient.logged_in(
        network.api_url, network.oakestra_url, ADMIN, suite.secrets.root_password
    )


local.add_command(simulate)


def _addresses(network: Network) -> dict[str, str]:
    return {
        "api_url": network.api_url,
        "oakestra_url": network.oakestra_url,
        "data_server": network.data_server(1),
        "user": ADMIN,
        "password": Secrets().root_password,
    }


def _print_addresses(context: Context, network: Network) -> None:
    if context.is_json:
        context.line(_addresses(network))


def _say_where(
    network: Network, screen: Screen, until: str = "Running until Ctrl-C, or `flops local down`."
) -> None:
    addresses = _addresses(network)
    program = Path(sys.executable).with_name("flops")
    command = (
        f'export PATH="{program.parent}:$PATH"'
        if program.exists()
        else f'alias flops="{sys.executable} -m flops_cli"'
    )
    screen.say("")
    screen.say(until, "bold")
    screen.say(f"  manager  {network.api_url}/docs")
    screen.say(
        f"  root     {network.oakestra_url} (user {ADMIN}, password {addresses['password']})"
    )
    screen.say(f"  data     {addresses['data_server']} (node 1)")
    screen.say("The command `flops` in another terminal:")
    screen.say(f"  export FLOPS_API_URL={network.api_url}")
    screen.say(f"  export FLOPS_OAKESTRA_URL={network.oakestra_url}")
    screen.say(f"  export FLOPS_DATA_SERVER={addresses['data_server']}")
    screen.say(f"  export FLOPS_USER={ADMIN} FLOPS_PASSWORD={addresses['password']}")
    screen.say(f"  {command}")


def _keep_running(suite: Suite) -> None:
    pause = threading.Event()
    try:
        while True:
            suite.require_alive()
            pause.wait(1)
    except InterruptedByUserError:
        return  # the ordinary way to stop it

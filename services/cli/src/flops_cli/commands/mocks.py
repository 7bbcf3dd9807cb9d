"""``flops mock ...``: datasets that stand in for the data of edge devices."""

import threading

import click

from flops_cli.commands.context import Context, if_interrupted, page_option, pass_context, read_sla
from flops_cli.commands.groups import Group
from flops_cli.times import moment
from flops_cli.watching import watch_mock
from flops_contracts.events import Fragment
from flops_contracts.roles import MockStage

PAUSE_SECONDS = 0.5
COLUMNS = ("FRAGMENT", "ROWS", "BYTES", "PARTITION", "NODE", "LABELS")


@click.group(cls=Group)
def mock() -> None:
    """Provide mock data: split a dataset and send it to the nodes."""


@mock.command()
@click.argument("sla_file", metavar="SLA.json")
@click.option("--watch", is_flag=True, help="Wait until the data are stored.")
@click.option("--key", default="", help="Idempotency key: repeating it returns the same mock.")
@pass_context
def start(context: Context, sla_file: str, watch: bool, key: str) -> None:
    """Provide the data that an SLA describes.

    With --watch, the exit code is 7 if that fails.
    """
    sla = read_sla(sla_file)
    with context.client() as client:
        mock_id = client.submit_mock(sla, key)
        if not watch:
            context.show({"mock_id": mock_id}, lambda: click.echo(mock_id))
            return
        context.line({"mock_id": mock_id}, mock_id)
        clock = threading.Event()
        goes_on = (
            f"The mock goes on. See it with `flops mock show {mock_id}`, or end it with "
            f"`flops mock delete {mock_id}`."
        )
        with if_interrupted(goes_on), context.screen() as screen:
            ended = watch_mock(client, mock_id, screen, lambda: clock.wait(PAUSE_SECONDS))
    provided = "\n".join((f"Provided: {len(ended.fragments)} fragments.", *ended.notices))
    context.line({"mock": ended.document}, provided)


@mock.command("list")
@click.option(
    "--stage",
    type=click.Choice([item.value for item in MockStage]),
    help="Only mocks in this stage.",
)
@page_option
@pass_context
def list_(context: Context, stage: str | None, page: int) -> None:
    """List mock data providers, newest first."""
    with context.client() as client:
        mocks = client.mocks(stage or "", page)
    rows = [
        (mock.id, mock.stage, str(len(mock.fragments)), moment(mock.created_at), mock.owner)
        for mock in mocks
    ]
    columns = ("MOCK", "STAGE", "FRAGMENTS", "CREATED", "OWNER")
    context.show(
        [mock.document for mock in mocks],
        lambda: context.table(columns, rows, "No mock data providers."),
    )


@mock.command()
@click.argument("mock_id")
@pass_context
def show(context: Context, mock_id: str) -> None:
    """Show the fragments that a mock data provider stored, or why it failed."""
    with context.client() as client:
        mock = client.mock(mock_id)

    def say() -> None:
        click.echo(f"mock {mock.id}: {mock.stage}")
        if mock.failure:
            click.echo(f"failed because:  {mock.failure.reason}")
            click.echo(f"what to change:  {mock.failure.hint}")
        for notice in mock.notices:
            click.echo(f"notice:          {notice}")
        if mock.fragments:
            context.table(COLUMNS, [_row(fragment) for fragment in mock.fragments])

    context.show(mock.document, say)


def _row(fragment: Fragment) -> tuple[str, ...]:
    """Return a fragment as text; old fragments may have no partition and node."""
    partition = "" if fragment.partition is None else str(fragment.partition)
    labels = ", ".join(f"{label}: {count}" for label, count in fragment.labels.items())
    sizes = (str(fragment.rows), str(fragment.bytes))
    return (fragment.name, *sizes, partition, fragment.node, labels)


@mock.command()
@click.argument("mock_id")
@pass_context
def delete(context: Context, mock_id: str) -> None:
    """Delete a mock data provider; the data that it stored stay."""
    with context.client() as client:
        message = client.delete_mock(mock_id)
    context.show({"message": message}, lambda: click.echo(message))

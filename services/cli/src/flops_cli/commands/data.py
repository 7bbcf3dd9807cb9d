"""``flops data ...``: the data of a node, for people with devices of their own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from flops_cli.commands.context import Context, pass_context
from flops_cli.errors import NotFoundError
from flops_cli.local.network import DATA_PORT
from flops_cli.screen import Screen
from flops_cli.sources import Source, find_sources
from flops_contracts.events import Fragment
from flops_flight.client import DataServer
from flops_flight.names import is_tag

COLUMNS = ("FRAGMENT", "ROWS", "SIZE")


_at_server = click.option(
    "--server",
    metavar="HOST[:PORT]",
    default="",
    help=f"The node's data server; default FLOPS_DATA_SERVER, default port {DATA_PORT}.",
)


@click.group()
def data() -> None:
    """List, send and remove training data at a node's data server.

    No login is needed: a data server asks for FLOPS_DATA_SERVER_TOKEN at most.
    """


@data.command("list")
@click.option("--tag", "tags", multiple=True, help="Only this tag; can be repeated.")
@_at_server
@pass_context
def list_(context: Context, server: str, tags: tuple[str, ...]) -> None:
    """List what the node holds."""
    with _open(context, server) as node:
        found = node.list_fragments(tags or None)
    context.show([_document(one) for one in found], lambda: _say_fragments(context, found))


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--tag", required=True, help="What projects will find the data by.")
@_at_server
@pass_context
def push(context: Context, server: str, path: Path, tag: str) -> None:
    """Send a Parquet or CSV file, a folder of them, or a folder of images.

    Each file becomes a fragment. Sending the same again changes nothing, so an interrupted
    push is simply repeated.
    """
    if not is_tag(tag):
        raise click.BadParameter("A tag is letters, digits, '_', '.' and '-'.", param_hint="--tag")
    sources = find_sources(path)
    with _open(context, server) as node, context.screen() as screen:
        stored = tuple(_send(node, one, tag, screen) for one in sources)
    document = [
        {"source": str(source.path), **_document(fragment)}
        for source, fragment in zip(sources, stored, strict=True)
    ]
    context.show(document, lambda: click.echo(f"Stored at {node.address}: {_sum(stored)}."))


@data.command()
@click.argument("names", nargs=-1, metavar="[FRAGMENT]...")
@click.option("--tag", default="", help="All fragments with this tag.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_at_server
@pass_context
def drop(context: Context, server: str, names: tuple[str, ...], tag: str, *, yes: bool) -> None:
    """Remove fragments from the node, by name or by tag."""
    if bool(names) == bool(tag):
        raise click.UsageError("Name fragments, or give --tag.")
    with _open(context, server) as node:
        held = node.list_fragments((tag,) if tag else None)
        doomed = tuple(one for one in held if tag or one.name in names)
        unknown = [name for name in names if name not in {one.name for one in held}]
        if unknown or not doomed:
            raise NotFoundError(
                f"{node.address} does not hold {', '.join(unknown) or f'the tag {tag}'}",
                hint="`flops data list` says what it holds.",
            )
        if not yes and not click.confirm(f"Remove {_sum(doomed)} from {node.address}?", err=True):
            click.echo("Nothing was removed.", err=True)
            return
        for one in doomed:
            node.drop(one.name)
    context.show(
        [_document(one) for one in doomed], lambda: click.echo(f"Removed: {_sum(doomed)}.")
    )


def _open(context: Context, server: str) -> DataServer:
    settings = context.settings
    address = server or settings.data_server
    if not address:
        raise click.UsageError("Name the data server: --server, or FLOPS_DATA_SERVER.")
    if not address.rpartition("]")[2].count(":"):
        address = f"{address}:{DATA_PORT}"
    return DataServer(address, settings.data_server_token, ca=settings.data_server_ca)


def _send(node: DataServer, source: Source, tag: str, screen: Screen) -> Fragment:
    done = 0.0
    key, text = str(source.path), f"{source.path.name} ({source.unit})"

    def moved(units: float) -> None:
        nonlocal done
        done += units
        screen.bar(key, text, round(done), round(source.total))

    moved(0)
    fragment = node.upload(tag, source.read(moved))
    screen.drop_bars(key)
    screen.say(f"{source.path} -> {fragment.name} ({fragment.rows} rows)")
    return fragment


def _document(fragment: Fragment) -> dict[str, Any]:
    return {"name": fragment.name, "rows": fragment.rows, "bytes": fragment.bytes}


def _say_fragments(context: Context, found: tuple[Fragment, ...]) -> None:
    if found:
        context.table(COLUMNS, [(one.name, str(one.rows), size(one.bytes)) for one in found])
    click.echo(f"{_sum(found)}.")


def _sum(fragments: Iterable[Fragment]) -> str:
    every = tuple(fragments)
    what = "1 fragment" if len(every) == 1 else f"{len(every)} fragments"
    rows = sum(one.rows for one in every)
    return f"{what}, {rows} rows, {size(sum(one.bytes for one in every))}"


def size(number: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"

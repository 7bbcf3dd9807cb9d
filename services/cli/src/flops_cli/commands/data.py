"""``flops data ...``: the data of a node, for users with their own devices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from flops_cli.commands.context import Context, if_interrupted, pass_context
from flops_cli.commands.groups import Group
from flops_cli.errors import NotFoundError, UnreadableFileError
from flops_cli.local.network import DATA_PORT
from flops_cli.pictures import LABEL
from flops_cli.screen import Screen
from flops_cli.sources import Options, Source, find_sources
from flops_contracts.events import Fragment
from flops_flight.client import DataServer
from flops_flight.columns import classes_of
from flops_flight.csv_files import CsvFormat, CsvSample
from flops_flight.names import is_tag

COLUMNS = ("FRAGMENT", "ROWS", "SIZE")
SHOWN_ROWS = 3


_at_server = click.option(
    "--server",
    metavar="HOST[:PORT]",
    default="",
    help=f"The node's data server; default FLOPS_DATA_SERVER, default port {DATA_PORT}.",
)


@click.group(cls=Group)
def data() -> None:
    """List, send and remove training data at a node's data server.

    No login is needed; a data server may require FLOPS_DATA_SERVER_TOKEN.
    """


@data.command("list")
@click.option("--tag", "tags", multiple=True, help="Only this tag; can be repeated.")
@_at_server
@pass_context
def list_(context: Context, server: str, tags: tuple[str, ...]) -> None:
    """List the fragments of a node."""
    with _open(context, server) as node:
        fragments = node.list_fragments(tags or None)
    documents = [_document(fragment) for fragment in fragments]
    context.show(documents, lambda: _say_fragments(context, fragments))


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--tag", required=True, help="Data tag that projects select the data by.")
@click.option("--delimiter", default="", help="CSV: between values; 'tab' for a tabulator.")
@click.option("--encoding", default="", help="CSV: for example utf-8, cp1252, utf-16.")
@click.option("--decimal", type=click.Choice([".", ","]), help="CSV: decimal sign of numbers.")
@click.option(
    "--text", "text_columns", multiple=True, metavar="COLUMN", help="CSV: keep as text; repeatable."
)
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be read.")
@click.option(
    "--classes",
    default="",
    metavar="A,B,...",
    help="Images: all classes of the tag, in the order of their numbers; default those of the "
    "data that are there, else the names of the folders.",
)
@_at_server
@pass_context
def push(  # noqa: PLR0913 - one parameter for each option
    context: Context,
    server: str,
    path: Path,
    tag: str,
    delimiter: str,
    encoding: str,
    decimal: str | None,
    text_columns: tuple[str, ...],
    *,
    skip_broken: bool,
    classes: str,
) -> None:
    """Send a Parquet or CSV file, a folder of them, or a folder of images.

    The format of CSV files is recognised and shown; the options state what is recognised wrongly.
    Each file becomes a fragment. Sending the same data again changes nothing, so repeat an
    interrupted push.
    """
    if not is_tag(tag):
        message = "A tag consists of letters, digits, '_', '.' and '-'."
        raise click.BadParameter(message, param_hint="--tag")
    delimiter = "\t" if delimiter in {"tab", "\\t"} else delimiter
    if len(delimiter) > 1:
        raise click.BadParameter("It is one character, or 'tab'.", param_hint="--delimiter")
    csv_format = CsvFormat(delimiter, encoding, decimal or "", text_columns)
    repeat = "Fragments that were announced are stored; repeat the command to send the rest."
    with _open(context, server) as node, if_interrupted(repeat), context.screen() as screen:
        stated = tuple(name.strip() for name in classes.split(",") if name.strip())
        options = Options(csv_format, skip_broken, _classes_of(node, tag, stated))
        sources = find_sources(path, options)
        stored = tuple(_send(node, source, tag, screen) for source in sources)
    document = [
        {"source": str(source.path), **_document(fragment)}
        for source, fragment in zip(sources, stored, strict=True)
    ]
    context.show(document, lambda: click.echo(f"Stored at {node.address}: {_sum(stored)}."))


@data.command()
@click.argument("names", nargs=-1, metavar="[FRAGMENT]...")
@click.option("--tag", default="", help="All fragments with this tag.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_at_server
@pass_context
def drop(context: Context, server: str, names: tuple[str, ...], tag: str, *, yes: bool) -> None:
    """Remove fragments from the node, by name or by tag."""
    if bool(names) == bool(tag):
        raise click.UsageError("Name fragments, or give --tag.")
    with _open(context, server) as node:
        fragments = node.list_fragments((tag,) if tag else None)
        unknown = set(names) - {fragment.name for fragment in fragments}
        fragments = tuple(item for item in fragments if tag or item.name in names)
        total = _sum(fragments)
        if unknown or not fragments:
            missing = f"fragment {', '.join(sorted(unknown))}" if unknown else f"tag {tag}"
            raise NotFoundError(
                f"{node.address} has no {missing}", hint="`flops data list` shows its fragments."
            )
        if not yes and not click.confirm(f"Remove {total} from {node.address}?", err=True):
            click.echo("Nothing was removed.", err=True)
            return
        for fragment in fragments:
            node.drop(fragment.name)
    documents = [_document(fragment) for fragment in fragments]
    context.show(documents, lambda: click.echo(f"Removed: {total}."))


def _classes_of(node: DataServer, tag: str, stated: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes of the images under a tag; raise ``UnreadableFileError``."""
    fragments = node.list_fragments((tag,))
    present = classes_of(node.schema(fragments[0].name)).get(LABEL, ()) if fragments else ()
    if stated and present and stated != present:
        raise UnreadableFileError(
            f"--classes is {', '.join(stated)}, but the data tagged {tag} have the classes "
            f"{', '.join(present)}",
            hint="Drop them and send everything with one list, or use another tag.",
        )
    return stated or present


def _open(context: Context, server: str) -> DataServer:
    settings = context.settings
    address = server or settings.data_server
    if not address:
        raise click.UsageError("Name the data server: --server, or FLOPS_DATA_SERVER.")
    if "://" in address:
        raise click.UsageError(f"Name the data server as host[:port], not as the URL {address}.")
    if not address.rpartition("]")[2].count(":"):
        address = f"{address}:{DATA_PORT}"
    return DataServer(address, settings.data_server_access.token, ca=settings.data_server_access.ca)


def _send(node: DataServer, source: Source, tag: str, screen: Screen) -> Fragment:
    done = 0.0
    key, text = str(source.path), f"{source.path.name} ({source.unit})"

    def moved(units: float) -> None:
        nonlocal done
        done += units
        screen.bar(key, text, round(done), round(source.total))

    moved(0)
    reader = source.read(moved)
    if source.sample:
        _show_csv(source.path, source.sample, reader.schema, screen)
    for notice in source.notices:
        screen.say(f"{source.path}: {notice}", "yellow")
    fragment = node.upload(tag, reader)
    screen.drop_bars(key)
    screen.say(f"{source.path} -> {fragment.name} ({fragment.rows} rows)")
    return fragment


def _show_csv(path: Path, sample: CsvSample, schema: pa.Schema, screen: Screen) -> None:
    delimiter = {"\t": "tab"}.get(sample.format.delimiter, sample.format.delimiter)
    screen.say(
        f"{path}: CSV, delimiter {delimiter}, encoding {sample.format.encoding}, "
        f"decimal sign {sample.format.decimal}; first rows:"
    )
    columns = [f"{field.name} ({field.type})" for field in schema]
    screen.table("", columns, sample.rows[1 : 1 + SHOWN_ROWS])


def _document(fragment: Fragment) -> dict[str, Any]:
    return {"name": fragment.name, "rows": fragment.rows, "bytes": fragment.bytes}


def _say_fragments(context: Context, fragments: Sequence[Fragment]) -> None:
    if fragments:
        rows = [(item.name, str(item.rows), size(item.bytes)) for item in fragments]
        context.table(COLUMNS, rows)
    click.echo(f"{_sum(fragments)}.")


def _sum(fragments: Sequence[Fragment]) -> str:
    count = "1 fragment" if len(fragments) == 1 else f"{len(fragments)} fragments"
    rows = sum(fragment.rows for fragment in fragments)
    return f"{count}, {rows} rows, {size(sum(fragment.bytes for fragment in fragments))}"


def size(number: float) -> str:
    """Return a number of bytes in a readable unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"

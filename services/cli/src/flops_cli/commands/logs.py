"""``flops project logs``: the log lines of a project's actors, also of those that have ended."""

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

from flops_cli.client import FlopsClient
from flops_cli.commands.context import Context, if_interrupted, pass_context
from flops_cli.times import clock
from flops_contracts.log_lines import LEVELS

LEVEL_STYLES: Final = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
FOLLOW_SECONDS: Final = 1.0


@click.command()
@click.argument("project_id")
@click.option("--actor", default="", help="Only this actor: an instance or a role.")
@click.option("--node", default="", help="Only actors on this node.")
@click.option("--level", type=click.Choice(LEVELS), help="Show this level and above.")
@click.option("--round", type=int, help="Only lines of this round.")
@click.option("--grep", "text", default="", help="Only lines that contain this text.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(1, 1000),
    default=200,
    show_default=True,
    help="How many lines, the newest.",
)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines.")
@pass_context
def logs(context: Context, /, project_id: str, lines: int, *, follow: bool, **query: Any) -> None:
    """Show the log lines of a project's actors.

    The observer and the tracking server send no logs; their last lines come from the root.
    """
    with context.client() as client:
        logged, last = client.log_lines(project_id, limit=lines, **query)
        if follow:
            _show_each(context, logged)
            with if_interrupted("The project goes on."):
                _follow(context, client, project_id, last, query)
            return
        is_filtered = any(query[name] for name in ("node", "level", "text", "round"))
        services = () if is_filtered else client.logs(project_id, query["actor"])
    shown = {line["instance"] for line in logged}
    others = [item for item in services if item.get("lines") and item.get("instance") not in shown]

    def say() -> None:
        _show_each(context, logged)
        for other in others:
            where = other.get("node") or "-"
            click.echo(f"== {other.get('role')} {other.get('instance')} ({where})")
            click.echo("\n".join(other["lines"]))

    context.show({"lines": list(logged), "others": others}, say)


def _follow(
    context: Context, client: FlopsClient, project_id: str, after: int, query: Mapping[str, Any]
) -> None:
    """Print new lines until the project has ended and no more arrive."""
    pause = threading.Event()
    while True:
        is_over = client.project(project_id).is_over
        logged, after = client.log_lines(project_id, after=after, limit=1000, **query)
        _show_each(context, logged)
        if is_over and not logged:
            return
        pause.wait(FOLLOW_SECONDS)


def _show_each(context: Context, lines: tuple[Mapping[str, Any], ...]) -> None:
    screen = context.screen()
    for line in lines:
        if context.is_json:
            context.line(line)
            continue
        if line.get("left_out"):
            screen.say(f"... {line['left_out']} lines of {line['instance']} are left out", "dim")
        screen.say(text_of(line), LEVEL_STYLES.get(line["level"], ""))


def text_of(line: Mapping[str, Any]) -> str:
    """Return a line as text: time, actor, round, level, message."""
    round_ = "" if line.get("round") is None else f" round {line['round']}"
    at = clock(datetime.fromisoformat(line["at"]))
    return f"{at} {line['role']} {line['instance']}{round_} {line['level']}: {line['message']}"

"""``flops project logs``: what a project's actors logged, also when they are gone."""

import threading
from collections.abc import Mapping
from typing import Any, Final

import click

from flops_cli.client import FlopsClient
from flops_cli.commands.context import Context, pass_context
from flops_contracts.log_lines import LEVELS

LEVEL_STYLES: Final = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
FOLLOW_SECONDS: Final = 1.0


@click.command()
@click.argument("project_id")
@click.option("--actor", default="", help="Only this actor: an instance or a role.")
@click.option("--node", default="", help="Only actors of this node.")
@click.option("--level", type=click.Choice(LEVELS), help="This severe or more.")
@click.option("--round", type=int, help="Only lines of this round.")
@click.option("--grep", "text", default="", help="Only lines that hold this text.")
@click.option("-n", "--lines", type=click.IntRange(1, 1000), default=200, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged later.")
@pass_context
def logs(context: Context, /, project_id: str, lines: int, *, follow: bool, **query: Any) -> None:
    """Show what the actors of a project logged.

    Of services that send no log (observer, tracking server), the last lines that the root has.
    """
    with context.client() as client:
        found, last = client.log_lines(project_id, limit=lines, **query)
        if follow:
            _show_each(context, found)
            _follow(context, client, project_id, last, query)
            return
        is_filtered = any(query[name] for name in ("node", "level", "text", "round"))
        others = () if is_filtered else client.logs(project_id, query["actor"])
    known = {one["instance"] for one in found}
    rest = [one for one in others if one.get("lines") and one.get("instance") not in known]

    def say() -> None:
        _show_each(context, found)
        for one in rest:
            click.echo(f"== {one.get('role')} {one.get('instance')} ({one.get('node') or '-'})")
            click.echo("\n".join(one["lines"]))

    context.show({"lines": list(found), "others": rest}, say)


def _follow(
    context: Context, client: FlopsClient, project_id: str, after: int, query: Mapping[str, Any]
) -> None:
    """Print what comes, until the project is over and nothing more came."""
    pause = threading.Event()
    while True:
        is_over = client.project(project_id).stage.is_final
        found, after = client.log_lines(project_id, after=after, limit=1000, **query)
        _show_each(context, found)
        if is_over and not found:
            return
        pause.wait(FOLLOW_SECONDS)


def _show_each(context: Context, found: tuple[Mapping[str, Any], ...]) -> None:
    screen = context.screen()
    for one in found:
        if context.is_json:
            context.line(one)
            continue
        if one.get("left_out"):
            screen.say(f"... {one['left_out']} lines of {one['instance']} are left out", "dim")
        screen.say(text_of(one), LEVEL_STYLES.get(one["level"], ""))


def text_of(line: Mapping[str, Any]) -> str:
    """Return a line for people: time, who, round, level, message."""
    round_ = "" if line.get("round") is None else f" round {line['round']}"
    at = str(line["at"])[11:19]
    return f"{at} {line['role']} {line['instance']}{round_} {line['level']}: {line['message']}"

"""How findings of a check are shown: what is well, what is not, where, and what to do."""

from collections.abc import Sequence

from flops_cli.commands.context import Context
from flops_cli.results import Finding


def show_findings(context: Context, findings: Sequence[Finding]) -> None:
    """Print them, as JSON if that was asked for."""
    context.show([vars(one) for one in findings], lambda: _say(context, findings))


def _say(context: Context, findings: Sequence[Finding]) -> None:
    with context.screen() as screen:
        for one in findings:
            result, style = ("ok", "green") if one.is_ok else ("PROBLEM", "red")
            where = f"{one.where}: " if one.where else ""
            screen.say(f"{result:<8} {one.check}: {where}{one.message}", style)
            if one.hint:
                screen.say(f"{'':<8} {one.hint}")

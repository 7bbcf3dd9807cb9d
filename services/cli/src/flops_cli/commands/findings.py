"""Showing the findings of a check: what passed, what did not, where, and what to change."""

from collections.abc import Sequence

from flops_cli.commands.context import Context
from flops_cli.errors import RefusedError
from flops_contracts.api.answers import Finding


def show_findings(context: Context, findings: Sequence[Finding]) -> None:
    """Print findings, as JSON with --json."""
    context.show([vars(finding) for finding in findings], lambda: _say(context, findings))


def require_no_problems(findings: Sequence[Finding]) -> None:
    """Raise ``RefusedError`` unless every check passed."""
    if not all(finding.is_ok for finding in findings):
        raise RefusedError("the project would fail with these problems; nothing was started")


def _say(context: Context, findings: Sequence[Finding]) -> None:
    with context.screen() as screen:
        for finding in findings:
            result, style = ("ok", "green") if finding.is_ok else ("PROBLEM", "red")
            where = f"{finding.where}: " if finding.where else ""
            screen.say(f"{result:<8} {finding.check}: {where}{finding.message}", style)
            if finding.hint:
                screen.say(f"{'':<8} {finding.hint}")

"""``flops project ...``: from starting one to deleting it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from flops_cli.client import FlopsClient
from flops_cli.commands.context import Context, pass_context, read_sla
from flops_cli.commands.data import size
from flops_cli.commands.findings import show_findings
from flops_cli.commands.logs import logs
from flops_cli.errors import RefusedError
from flops_cli.results import Finding, Project, Round
from flops_cli.watching import require_success, watch_project
from flops_contracts.envelope import document_from_event
from flops_contracts.roles import Stage


@click.group()
def project() -> None:
    """Train models: start, follow and end projects."""


@project.command()
@click.argument("sla_file", metavar="SLA.json")
@click.option("--dry-run", is_flag=True, help="Check everything, start nothing.")
@click.option("--watch", is_flag=True, help="Follow the project once it is started.")
@click.option("--key", default="", help="Idempotency key: repeat it to get the first answer.")
@pass_context
def start(context: Context, sla_file: str, dry_run: bool, watch: bool, key: str) -> None:
    """Start a project from its SLA."""
    sla = read_sla(sla_file)
    with context.client() as client:
        if dry_run:
            _show_findings(context, client.check_project(sla))
            return
        project_id = client.submit_project(sla, key)
        if not watch:
            context.show({"project_id": project_id}, lambda: click.echo(project_id))
            return
        context.line({"project_id": project_id}, project_id)
        _watch(context, client, project_id)


@project.command()
@click.argument("sla_file", metavar="SLA.json")
@pass_context
def check(context: Context, sla_file: str) -> None:
    """Check an SLA against the cluster as it is now; nothing is started.

    Exit code 3 if the project would not succeed.
    """
    sla = read_sla(sla_file)
    with context.client() as client:
        _show_findings(context, client.check_project(sla))


@project.command("list")
@click.option("--stage", type=click.Choice([*Stage]), help="Only projects in this stage.")
@click.option("--page", default=1, type=click.IntRange(min=1))
@pass_context
def list_(context: Context, stage: str | None, page: int) -> None:
    """List projects, newest first."""
    with context.client() as client:
        found = client.projects(stage or "", page)
    rows = [
        (
            one.id,
            one.stage,
            f"{one.rounds_completed}/{one.rounds}",
            moment(one.created_at),
            one.owner,
            one.reason or one.repository,
        )
        for one in found
    ]
    columns = ("PROJECT", "STAGE", "ROUNDS", "CREATED", "OWNER", "REPOSITORY, REASON")
    context.show(
        [one.document for one in found], lambda: context.table(columns, rows, "No projects.")
    )


@project.command()
@click.argument("project_id")
@pass_context
def show(context: Context, project_id: str) -> None:
    """Show everything that is known of a project."""
    with context.client() as client:
        found = client.project(project_id)
    context.show(found.document, lambda: _show_project(context, found))


@project.command()
@click.argument("project_id")
@click.option("--after", default=0, type=click.IntRange(min=0), help="Skip this many events.")
@pass_context
def watch(context: Context, project_id: str, after: int) -> None:
    """Follow a project until it has ended; a model that is to be served is, then.

    Exit code 0 on success, 7 if it failed, 8 if it was cancelled. With --json, each event is a
    line of its own, and the project as it ended the last.
    """
    with context.client() as client:
        _watch(context, client, project_id, after)


project.add_command(logs)


@project.command()
@click.argument("project_id")
@pass_context
def cancel(context: Context, project_id: str) -> None:
    """Stop a project and everything it runs."""
    with context.client() as client:
        _say(context, client.cancel_project(project_id))


@project.command()
@click.argument("project_id")
@pass_context
def retry(context: Context, project_id: str) -> None:
    """Start a failed or cancelled project again where it stopped."""
    with context.client() as client:
        _say(context, client.retry_project(project_id))


@project.command()
@click.argument("project_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def delete(context: Context, project_id: str, *, yes: bool) -> None:
    """Remove a project and all it has at the orchestrator."""
    if not yes and not click.confirm("Its served model ends, too. Delete it?"):
        click.echo("Nothing was deleted.")
        return
    with context.client() as client:
        _say(context, client.delete_project(project_id))


def _say(context: Context, message: str) -> None:
    context.show({"message": message}, lambda: click.echo(message))


def _watch(context: Context, client: FlopsClient, project_id: str, after: int = 0) -> None:
    if context.is_json:
        for one in client.follow(project_id, after):
            context.line({"seq": one.seq, **document_from_event(one.event)})
        ended = client.project(project_id)
        context.line({"project": ended.document})
        require_success(ended)
        return
    with context.screen() as screen:
        ended = watch_project(client, project_id, screen, after)
    require_success(ended)
    if ended.model_url:
        click.echo(f"The model answers at {ended.model_url}/invocations")


def _show_findings(context: Context, findings: Sequence[Finding]) -> None:
    show_findings(context, findings)
    if not all(one.is_ok for one in findings):
        raise RefusedError("the project would not succeed as it is; nothing was started")
    if not context.is_json:
        click.echo("The project can be started.")


def _show_project(context: Context, found: Project) -> None:
    trained = found.document.get("trained") or {}
    facts = {
        "project": found.id,
        "stage": found.stage,
        "owner": found.owner,
        "repository": (found.document.get("sla") or {}).get("ml_repo_url"),
        "created": moment(found.created_at),
        "commit": found.document.get("commit"),
        "model": trained.get("model_uri"),
        "model address": found.model_url,
        "story": found.story_url,
        "privacy": privacy(found),
        "failed because": found.failure.reason if found.failure else "",
        "what to change": found.failure.hint if found.failure else "",
        "failed in": found.failure.origin if found.failure else "",
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name + ':':<16} {value}")
    if found.failure and found.failure.last_lines:
        click.echo("last lines:")
        for line in found.failure.last_lines:
            click.echo(f"  {line}")
    if found.rounds:
        name = "CYCLE" if any(one.is_cycle for one in found.rounds) else "ROUND"
        context.table((name, *MEASURED), round_rows(found))
    if found.cluster_rounds:
        columns = ("CLUSTER", "CYCLE", "ROUND", *MEASURED)
        context.table(columns, cluster_rows(found))
    actors = found.document.get("actors") or ()
    rows = [
        (
            *(str(one.get(key) or "-") for key in ("role", "instance", "status")),
            _node(one),
            _did(one),
            *(_count(one.get(key)) for key in ("round", "rows", "memory_mb")),
        )
        for one in actors
    ]
    if rows:
        context.table(ACTOR_COLUMNS, rows)


def privacy(found: Project) -> str:
    """Return what differential privacy has spent, empty for a project without."""
    promised = ((found.document.get("sla") or {}).get("privacy") or {}).get("differential_privacy")
    if not promised:
        return ""
    spent = found.rounds[-1].epsilon if found.rounds else None
    budget = promised.get("epsilon_budget")
    return (
        f"epsilon {spent or 0:.4g} spent{f' of {budget:g}' if budget else ''}, "
        f"delta {promised.get('delta'):g}"
    )


def _node(actor: Mapping[str, Any]) -> str:
    """Return where an actor runs: by address in parentheses where the root chose the node."""
    address = actor.get("public_address")
    return str(actor.get("node") or (f"({address})" if address else "-"))


def _did(actor: Mapping[str, Any]) -> str:
    return str(actor.get("state") or "-")


def _count(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}"


ACTOR_COLUMNS: Final = (
    *("ROLE", "INSTANCE", "STATUS", "NODE", "LAST STATE"),
    *("ROUND", "ROWS", "MEMORY MB"),
)

MEASURED: Final = ("ACCURACY", "LOSS", "SECONDS", "DOWN", "UP")


def round_rows(found: Project) -> list[tuple[str, ...]]:
    """Return a row per round: number, and what was measured."""
    return [(str(one.round), *_measured(one)) for one in found.rounds]


def cluster_rows(found: Project) -> list[tuple[str, ...]]:
    """Return a row per round of each cluster of a hierarchical project."""
    return [
        (one.cluster, str(one.cycle), str(one.round), *_measured(one))
        for one in found.cluster_rounds
    ]


def _measured(one: Round) -> tuple[str, ...]:
    both = (one.bytes_down, one.bytes_up)
    carried = ("-" if count is None else size(count) for count in both)
    return (number(one.accuracy), number(one.loss), f"{one.seconds:.1f}", *carried)


def moment(time: str) -> str:
    """Return the manager's time of something, to the minute."""
    return time[:16].replace("T", " ")


def number(value: float | None) -> str:
    """Return a metric as text; a dash where it was not measured."""
    return "-" if value is None else f"{value:.4f}"

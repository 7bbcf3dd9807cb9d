"""``flops project ...``: starts, follows and deletes projects."""

from collections.abc import Sequence
from typing import Final

import click

from flops_cli.client import FlopsClient
from flops_cli.commands.context import Context, if_interrupted, page_option, pass_context, read_sla
from flops_cli.commands.data import size
from flops_cli.commands.findings import require_no_problems, show_findings
from flops_cli.commands.groups import Group
from flops_cli.commands.logs import logs
from flops_cli.results import Project
from flops_cli.times import moment
from flops_cli.watching import require_success, watch_project
from flops_contracts.api.answers import ActorState, Finding
from flops_contracts.envelope import document_from_event
from flops_contracts.events import RoundCompleted
from flops_contracts.roles import Stage


@click.group(cls=Group)
def project() -> None:
    """Train models: start, follow and cancel projects."""


@project.command()
@click.argument("sla_file", metavar="SLA.json")
@click.option("--dry-run", is_flag=True, help="Check everything, start nothing.")
@click.option("--watch", is_flag=True, help="Follow the project until it has ended.")
@click.option("--key", default="", help="Idempotency key: repeating it returns the same project.")
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
    """Check an SLA against the current state of the cluster; nothing is started.

    The exit code is 3 if the project would fail.
    """
    sla = read_sla(sla_file)
    with context.client() as client:
        _show_findings(context, client.check_project(sla))


@project.command("list")
@click.option(
    "--stage",
    type=click.Choice([item.value for item in Stage]),
    help="Only projects in this stage.",
)
@page_option
@pass_context
def list_(context: Context, stage: str | None, page: int) -> None:
    """List projects, newest first."""
    with context.client() as client:
        projects = client.projects(stage or "", page)
    rows = [
        (
            project.id,
            project.stage,
            f"{project.rounds_completed}/{project.rounds}",
            moment(project.created_at),
            project.owner,
            project.reason or project.waiting or project.repository,
        )
        for project in projects
    ]
    columns = (
        "PROJECT",
        "STAGE",
        "ROUNDS",
        "CREATED",
        "OWNER",
        "REPOSITORY, OR WHY IT FAILED OR WAITS",
    )
    documents = [project.document for project in projects]
    context.show(documents, lambda: context.table(columns, rows, "No projects."))


@project.command()
@click.argument("project_id")
@pass_context
def show(context: Context, project_id: str) -> None:
    """Show the state of a project: rounds, actors, and why it failed."""
    with context.client() as client:
        project = client.project(project_id)
    context.show(project.document, lambda: _show_project(context, project))


@project.command()
@click.argument("project_id")
@click.option("--after", default=0, type=click.IntRange(min=0), help="Skip this many events.")
@pass_context
def watch(context: Context, project_id: str, after: int) -> None:
    """Follow a project until it has ended and its model, if wanted, is served.

    The exit code is 0 on success, 7 if the project failed, 8 if it was cancelled. With --json,
    each event is printed on a line, and the project in its final state on the last.
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
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@pass_context
def delete(context: Context, project_id: str, *, yes: bool) -> None:
    """Delete a project and everything it runs at the orchestrator."""
    if not yes and not click.confirm("This also stops its served model. Delete the project?"):
        click.echo("Nothing was deleted.")
        return
    with context.client() as client:
        _say(context, client.delete_project(project_id))


def _say(context: Context, message: str) -> None:
    context.show({"message": message}, lambda: click.echo(message))


def _watch(context: Context, client: FlopsClient, project_id: str, after: int = 0) -> None:
    goes_on = (
        f"The project goes on. Follow it with `flops project watch {project_id}`, or stop it with "
        f"`flops project cancel {project_id}`."
    )
    with if_interrupted(goes_on):
        if context.is_json:
            for numbered in client.follow(project_id, after):
                context.line({"seq": numbered.seq, **document_from_event(numbered.event)})
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
    require_no_problems(findings)
    if not context.is_json:
        click.echo("The project can be started.")


def _show_project(context: Context, project: Project) -> None:
    _show_facts(project)
    if project.rounds:
        name = "CYCLE" if any(round_.is_cycle for round_ in project.rounds) else "ROUND"
        context.table((name, *MEASURED), round_rows(project))
    if project.cluster_rounds:
        columns = ("CLUSTER", "CYCLE", "ROUND", *MEASURED)
        context.table(columns, cluster_rows(project))
    rows = [
        (
            *(actor.role, actor.instance or "-", actor.status or "-"),
            _node(actor),
            actor.state or "-",
            *(_count(number) for number in (actor.round, actor.rows, actor.memory_mb)),
        )
        for actor in project.actors
    ]
    if rows:
        context.table(ACTOR_COLUMNS, rows)


def _show_facts(project: Project) -> None:
    failure = project.failure
    facts = {
        "project": project.id,
        "stage": project.stage,
        "waiting": project.waiting,
        "owner": project.owner,
        "repository": project.sla.ml_repo_url if project.sla else "",
        "created": moment(project.created_at),
        "commit": project.commit,
        "model": project.trained.model_uri if project.trained else "",
        "model address": project.model_url,
        "story": project.story_url,
        "privacy": privacy(project),
        "failed because": failure.reason if failure else "",
        "what to change": failure.hint if failure else "",
        "failed in": failure.origin if failure else "",
    }
    lines = [*facts.items(), *(("notice", notice) for notice in project.notices)]
    for name, value in lines:
        if value:
            click.echo(f"{name + ':':<16} {value}")
    if failure and failure.last_lines:
        click.echo("last lines:")
        for line in failure.last_lines:
            click.echo(f"  {line}")


def privacy(project: Project) -> str:
    """Return the spent privacy budget; empty without differential privacy."""
    settings = project.sla.privacy.differential_privacy if project.sla else None
    if settings is None:
        return ""
    spent = project.rounds[-1].epsilon if project.rounds else None
    budget = f" of {settings.epsilon_budget:g}" if settings.epsilon_budget else ""
    return f"epsilon {spent or 0:.4g} spent{budget}, delta {settings.delta:g}"


def _node(actor: ActorState) -> str:
    """Return an actor's node, or its address in parentheses if the root chose the node."""
    return actor.node or (f"({actor.public_address})" if actor.public_address else "-")


def _count(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}"


ACTOR_COLUMNS: Final = (
    *("ROLE", "INSTANCE", "STATUS", "NODE", "LAST STATE"),
    *("ROUND", "ROWS", "MEMORY MB"),
)

MEASURED: Final = ("ACCURACY", "LOSS", "SECONDS", "DOWN", "UP")


def round_rows(project: Project) -> list[tuple[str, ...]]:
    """Return a row per round: its number and measurements."""
    return [(str(round_.round), *_measured(round_)) for round_ in project.rounds]


def cluster_rows(project: Project) -> list[tuple[str, ...]]:
    """Return a row per round of each cluster of a hierarchical project."""
    return [
        (round_.cluster, str(round_.cycle), str(round_.round), *_measured(round_))
        for round_ in project.cluster_rounds
    ]


def _measured(round_: RoundCompleted) -> tuple[str, ...]:
    traffic = (
        "-" if count is None else size(count) for count in (round_.bytes_down, round_.bytes_up)
    )
    return (number(round_.accuracy), number(round_.loss), f"{round_.seconds:.1f}", *traffic)


def number(value: float | None) -> str:
    """Return a metric as text; a dash if it was not measured."""
    return "-" if value is None else f"{value:.4f}"

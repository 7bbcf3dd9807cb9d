"""``flops model ...``: what projects have trained."""

import click

from flops_cli.commands.context import Context, pass_context
from flops_cli.commands.projects import number


@click.group()
def model() -> None:
    """See trained models."""


@model.command("list")
@click.option("--page", default=1, type=click.IntRange(min=1))
@pass_context
def list_(context: Context, page: int) -> None:
    """List trained models, newest first."""
    with context.client() as client:
        found = client.models(page)
    rows = [(one.id, one.name, one.version, number(one.accuracy), one.url or "-") for one in found]
    columns = ("PROJECT", "MODEL", "VERSION", "ACCURACY", "SERVED AT")
    context.show(
        [one.document for one in found], lambda: context.table(columns, rows, "No models.")
    )


@model.command()
@click.argument("project_id")
@pass_context
def show(context: Context, project_id: str) -> None:
    """Show the model that a project trained."""
    with context.client() as client:
        found = client.model(project_id)

    def say() -> None:
        for name, value in found.document.items():
            if value not in (None, ""):
                click.echo(f"{name + ':':<16} {value}")

    context.show(found.document, say)

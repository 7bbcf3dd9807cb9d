"""``flops model ...``: the models that projects have trained."""

import click

from flops_cli.commands.context import Context, page_option, pass_context
from flops_cli.commands.groups import Group
from flops_cli.commands.projects import number


@click.group(cls=Group)
def model() -> None:
    """See trained models."""


@model.command("list")
@page_option
@pass_context
def list_(context: Context, page: int) -> None:
    """List trained models, newest first."""
    with context.client() as client:
        models = client.models(page)
    rows = [
        (model.id, model.name, model.version, number(model.accuracy), model.url or "-")
        for model in models
    ]
    columns = ("PROJECT", "MODEL", "VERSION", "ACCURACY", "SERVED AT")
    documents = [model.document for model in models]
    context.show(documents, lambda: context.table(columns, rows, "No models."))


@model.command()
@click.argument("project_id")
@pass_context
def show(context: Context, project_id: str) -> None:
    """Show the model that a project trained."""
    with context.client() as client:
        model = client.model(project_id)

    def say() -> None:
        for name, value in model.document.items():
            if value not in (None, ""):
                click.echo(f"{name + ':':<16} {value}")

    context.show(model.document, say)

"""``flops check``: checks a repository or a project before it is started."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flops_cli.commands.context import Context, pass_context, read_sla
from flops_cli.commands.findings import require_no_problems, show_findings
from flops_cli.commands.machine import install_services, tidied
from flops_cli.errors import ClientError
from flops_cli.local.images import BUILDER
from flops_cli.local.inspection import Repository, inspect_repository, take_sample
from flops_contracts.api.answers import Finding
from flops_contracts.sla import Flavor, Platform
from flops_contracts.sla_documents import InvalidSlaError, read_project_sla

DATA_HELP = "CSV or Parquet file, or folder of images; the check trains on its first rows."


@click.command()
@click.argument("target", metavar="PATH|URL|SLA.json")
@click.option("--ref", default="", help="Branch, tag or commit. Default: a folder as it is.")
@click.option(
    "--flavor", type=click.Choice([item.value for item in Flavor]), help="Default: sklearn."
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    type=click.Choice([item.value for item in Platform]),
    help="Platform that its dependencies must be available for; can be repeated.",
)
@click.option(
    "--data", type=click.Path(exists=True, path_type=Path), help=DATA_HELP, metavar="PATH"
)
@pass_context
def check(
    context: Context,
    target: str,
    ref: str,
    flavor: str | None,
    platforms: tuple[str, ...],
    data: Path | None,
) -> None:
    """Check an ML repository on this machine, or a whole project by its SLA.

    Checks structure, dependencies and imports, and runs one round of its methods on a few rows, in
    a process with limits. For an SLA, the manager also checks data, nodes and free resources.
    Nothing is deployed.
    """
    findings: list[Finding] = []
    repository: Repository | None = Repository(target)
    if target.endswith(".json"):
        sla = read_sla(target)
        repository = _repository_of(sla, findings)
        findings += _of_manager(context, sla) if repository else ()
    if repository:
        repository = replace(
            repository,
            ref=ref or repository.ref,
            flavor=flavor or repository.flavor,
            platforms=platforms or repository.platforms,
        )
        findings += _of_repository(context, repository, data)
    show_findings(context, findings)
    require_no_problems(findings)
    if not context.is_json:
        click.echo("All checks passed.")


def _repository_of(document: dict[str, Any], findings: list[Finding]) -> Repository | None:
    """Return the SLA's repository, or None for an invalid SLA; add what was checked."""
    try:
        sla = read_project_sla(document)
    except InvalidSlaError as error:
        findings += [
            Finding("sla", False, " ".join(texts), where=path)
            for path, texts in error.problems.items()
        ]
        return None
    findings.append(Finding("sla", True, "every key and value is valid"))
    platforms = tuple(platform.value for platform in sla.supported_platforms)
    return Repository(sla.ml_repo_url, sla.ml_repo_ref, sla.ml_model_flavor.value, platforms)


def _of_manager(context: Context, sla: dict[str, Any]) -> Iterator[Finding]:
    try:
        with context.client() as client:
            yield from client.check_project(sla)
    except ClientError as error:
        yield Finding("manager", False, error.message, error.hint)


def _of_repository(
    context: Context, repository: Repository, data: Path | None
) -> tuple[Finding, ...]:
    with tidied(context) as machine, tempfile.TemporaryDirectory(prefix="flops-check-") as folder:
        rows = take_sample(data, Path(folder)) if data else None
        install_services(machine, {BUILDER})
        machine.screen.bar("check", f"inspecting {repository.url}")
        findings = inspect_repository(machine.places, repository, rows, context.variables)
        machine.screen.drop_bars("check")
    return findings

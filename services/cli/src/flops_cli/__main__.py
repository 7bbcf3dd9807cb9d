"""``flops``: the command line. It reads the environment, and turns errors into exit codes."""

import os
import sys

import click
from rich.console import Console

from flops_cli.commands.context import Context
from flops_cli.commands.local import local
from flops_cli.commands.login import login, tracking
from flops_cli.commands.mocks import mock
from flops_cli.commands.models import model
from flops_cli.commands.projects import project
from flops_cli.errors import EXPLANATIONS, ClientError, CliExitCode
from flops_cli.local.processes import InterruptedByUserError
from flops_cli.settings import Settings
from flops_contracts.errors import FlopsError
from flops_runtime.environment import Environment

LONGEST_LINE = 300

# \b keeps click from filling the lines up to one paragraph.
EPILOG = "\b\nExit codes:\n" + "\n".join(
    f"  {code.value:<3}  {sentence}" for code, sentence in EXPLANATIONS.items()
)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--api-url", help="The manager's address; default FLOPS_API_URL.")
@click.option("--oakestra-url", help="The root orchestrator; default FLOPS_OAKESTRA_URL.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, for programs.")
@click.version_option(package_name="flops-cli", message="%(version)s")
@click.pass_context
def flops(context: click.Context, api_url: str, oakestra_url: str, is_json: bool) -> None:
    """Train models with FLOps on an Oakestra cluster, or all of it on this machine."""
    variables = {
        **os.environ,
        **({"FLOPS_API_URL": api_url} if api_url else {}),
        **({"FLOPS_OAKESTRA_URL": oakestra_url} if oakestra_url else {}),
    }
    settings = Settings.from_env(Environment(variables))
    context.obj = Context(settings, variables, is_json, Console())


for command in (project, mock, model, login, tracking, local):
    flops.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit code; errors go to standard error, in words."""
    try:
        flops.main(arguments, prog_name="flops", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ClientError as error:
        _print_error(error.message, error.hint, error.errors)
        return error.exit_code
    except FlopsError as error:
        _print_error(error.reason, error.hint, ())
        return CliExitCode.USAGE
    except (click.Abort, KeyboardInterrupt, InterruptedByUserError):
        click.echo("Interrupted.", err=True)
        return CliExitCode.INTERRUPTED
    return CliExitCode.DONE


def _print_error(message: str, hint: str, errors: tuple[object, ...]) -> None:
    click.secho(f"Error: {message}", fg="red", err=True)
    for one in errors:
        click.echo(f"  {str(one)[:LONGEST_LINE]}", err=True)
    if hint:
        click.echo(f"Hint: {hint}", err=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        click.echo("ok")
    else:
        sys.exit(main())

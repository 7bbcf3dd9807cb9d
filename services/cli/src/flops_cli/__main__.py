"""``flops``: the command line, which reads the environment and turns errors into exit codes."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from flops_cli.commands.check import check
from flops_cli.commands.completion import completion
from flops_cli.commands.context import Context
from flops_cli.commands.data import data
from flops_cli.commands.groups import Group
from flops_cli.commands.local import local
from flops_cli.commands.login import login, tracking
from flops_cli.commands.mocks import mock
from flops_cli.commands.models import model
from flops_cli.commands.projects import project
from flops_cli.errors import EXPLANATIONS, ClientError, CliExitCode, exit_code_of
from flops_cli.local.processes import InterruptedByUserError
from flops_cli.settings import Settings
from flops_contracts.errors import FlopsError
from flops_contracts.version import VERSION
from flops_runtime.environment import read

LONGEST_LINE = 300
JSON_OPTION = "--json"
NO_ANSWER = "Error: the command asks a question, and standard input ended without an answer"
NO_ANSWER_HINT = (
    "Without a terminal, answer by options: --yes to confirm, --user and --password-stdin to log "
    "in."
)

# \b keeps click from joining the lines into one paragraph.
EPILOG = "\b\nExit codes:\n" + "\n".join(
    f"  {code.value:<3}  {sentence}" for code, sentence in EXPLANATIONS.items()
)


@click.group(cls=Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--api-url", help="Address of the manager; default FLOPS_API_URL.")
@click.option(
    "--oakestra-url", help="Address of the root orchestrator; default FLOPS_OAKESTRA_URL."
)
@click.option(JSON_OPTION, "is_json", is_flag=True, help="Print JSON, for programs.")
@click.version_option(VERSION, message="%(version)s")
@click.pass_context
def flops(context: click.Context, api_url: str, oakestra_url: str, is_json: bool) -> None:
    """Train models with FLOps, on an Oakestra cluster or on this machine."""
    variables = {
        **os.environ,
        **({"FLOPS_API_URL": api_url} if api_url else {}),
        **({"FLOPS_OAKESTRA_URL": oakestra_url} if oakestra_url else {}),
    }
    settings = read(Settings, variables)
    context.obj = Context(settings, variables, is_json, Console())


for group in (check, project, mock, data, model, login, tracking, local, completion):
    flops.add_command(group)


def _switch_to_json(context: click.Context, _option: click.Parameter, is_json: bool) -> None:
    if is_json and isinstance(context.obj, Context):
        context.obj = replace(context.obj, is_json=True)


def _leaves(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from _leaves(command)
        else:
            yield command


# Users write it last: `flops project list --json`.
for leaf in _leaves(flops):
    leaf.params.append(
        click.Option(
            [JSON_OPTION],
            is_flag=True,
            expose_value=False,
            callback=_switch_to_json,
            help="Print JSON, for programs.",
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; errors go to standard error, as text or JSON."""
    is_json = JSON_OPTION in (sys.argv[1:] if arguments is None else arguments)
    try:
        flops.main(arguments, prog_name="flops", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        if is_json:
            return _fail(error.exit_code, error.format_message(), is_json=True)
        error.show()
        return error.exit_code
    except (ClientError, FlopsError) as error:
        return _fail(*_explained(error), is_json=is_json)
    except (click.Abort, KeyboardInterrupt, InterruptedByUserError) as ending:
        return _fail(*_interrupted(ending), is_json=is_json)
    return CliExitCode.DONE


def _explained(error: ClientError | FlopsError) -> tuple[CliExitCode, str, str, Sequence[Any]]:
    if isinstance(error, ClientError):
        return error.exit_code, f"Error: {error.message}", error.hint, error.errors
    return exit_code_of(error), f"Error: {error.reason}", error.hint, ()


def _interrupted(ending: BaseException) -> tuple[CliExitCode, str, str]:
    if isinstance(ending.__context__, EOFError):  # click asked, and there is nobody to answer
        return CliExitCode.USAGE, NO_ANSWER, NO_ANSWER_HINT
    return CliExitCode.INTERRUPTED, " ".join(["Interrupted.", *map(str, ending.args)]), ""


def _fail(
    code: int, message: str, hint: str = "", errors: Sequence[Any] = (), *, is_json: bool
) -> int:
    if is_json:
        reason = message.removeprefix("Error: ")
        document = {"exit_code": code, "message": reason, "hint": hint, "errors": list(errors)}
        click.echo(json.dumps(document, default=str), err=True)
        return code
    # rich omits colours in a pipe or if NO_COLOR is set.
    screen = Console(stderr=True, highlight=False)
    screen.print(Text(message, "red"), soft_wrap=True)
    for problem in errors:
        screen.print(Text(f"  {str(problem)[:LONGEST_LINE]}"), soft_wrap=True)
    if hint:
        screen.print(Text(f"Hint: {hint}"), soft_wrap=True)
    return code


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        click.echo("ok")
    else:
        sys.exit(main())

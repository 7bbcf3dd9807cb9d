"""Shared by all commands: settings, the client, and output as text or JSON."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console

from flops_cli.client import FlopsClient
from flops_cli.credentials import PasswordTokens, RootLogin, StoredTokens, TokenFile, TokenSource
from flops_cli.errors import UnreadableFileError
from flops_cli.local.processes import InterruptedByUserError
from flops_cli.screen import Screen, print_table, screen_for
from flops_cli.settings import Settings


@dataclass(frozen=True)
class Context:
    """``variables`` is the environment of this process, for the children of the local suite."""

    settings: Settings
    variables: Mapping[str, str]
    is_json: bool
    console: Console

    @property
    def token_file(self) -> TokenFile:
        """The file of the tokens of ``flops login``."""
        return TokenFile(self.settings.config_folder)

    def client(self) -> FlopsClient:
        """Return a client that logs in as FLOPS_USER if set, else uses the stored login."""
        return FlopsClient(self.settings.api_url, self._tokens())

    def screen(self) -> Screen:
        """Return a screen for progress, on standard error if standard output is for JSON."""
        return screen_for(Console(stderr=True) if self.is_json else self.console)

    def show(self, document: Any, say: Callable[[], None]) -> None:
        """Print ``document`` with --json, else call ``say``."""
        if self.is_json:
            click.echo(json.dumps(document, indent=2, default=str))
        else:
            say()

    def line(self, document: Any, text: str = "") -> None:
        """Print a single line, ``document`` with --json, else ``text``."""
        click.echo(json.dumps(document, default=str) if self.is_json else text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], none: str = "") -> None:
        """Print a table, or ``none`` on a terminal if there are no rows."""
        if not self.console.is_terminal:
            self.screen().table("", columns, rows)
        elif rows or not none:
            print_table(self.console, "", columns, rows)
        else:
            click.echo(none)

    def _tokens(self) -> TokenSource:
        settings = self.settings
        if settings.user:
            login = RootLogin(settings.oakestra_url)
            return PasswordTokens(login, settings.user, settings.password)
        return StoredTokens(self.token_file)


@contextmanager
def if_interrupted(text: str) -> Iterator[None]:
    """Report ``text`` on Ctrl-C in the block: what goes on nevertheless, and how to end it."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise InterruptedByUserError(text) from interrupt


page_option = click.option(
    "--page", default=1, type=click.IntRange(min=1), help="Page of the list; 1 is the newest."
)

pass_context = click.make_pass_decorator(Context)


def read_sla(file: str) -> dict[str, Any]:
    """Return the JSON object in ``file`` ('-' is standard input); raise ``UnreadableFileError``."""
    try:
        with click.open_file(file, encoding="utf-8") as stream:
            document = json.load(stream)
    except OSError as error:
        raise UnreadableFileError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        hint = "An SLA must be plain JSON; remove % comments, as some manuals print them."
        raise UnreadableFileError(f"cannot read an SLA from {file}: {error}", hint) from error
    if not isinstance(document, dict):
        raise UnreadableFileError(f"{file} does not contain a JSON object")
    return document

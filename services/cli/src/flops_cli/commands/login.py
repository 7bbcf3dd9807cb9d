"""``flops login`` stores a token of the root orchestrator; ``flops tracking`` locates MLflow."""

import click

from flops_cli.commands.context import Context, pass_context
from flops_cli.credentials import RootLogin


@click.command()
@click.option("--user", prompt=True, help="Your user name at the root orchestrator.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; for scripts."
)
@pass_context
def login(context: Context, user: str, password_stdin: bool) -> None:
    """Log in at the root orchestrator; the password is not stored."""
    password = _first_line() if password_stdin else click.prompt("Password", hide_input=True)
    tokens = RootLogin(context.settings.oakestra_url).log_in(user, password)
    context.token_file.write(tokens)
    path = context.token_file.path
    context.show({"user": user}, lambda: click.echo(f"Logged in as {user}; tokens in {path}."))


def _first_line() -> str:
    with click.open_file("-") as stdin:
        return str(stdin.readline()).rstrip("\n")


@click.command()
@click.option("--customer", default="", help="Another customer's server; for Admins.")
@pass_context
def tracking(context: Context, customer: str) -> None:
    """Print the address of your MLflow, which is started if there is none."""
    with context.client() as client:
        server = client.tracking(customer)
    state = "" if server.is_running else " (still starting)"
    context.show(vars(server), lambda: click.echo(f"{server.url}{state}"))

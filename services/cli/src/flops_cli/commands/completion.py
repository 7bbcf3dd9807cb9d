"""``flops completion``: scripts that let a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_FLOPS_COMPLETE"
"""The variable that click reads when the shell completes a line."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script for a shell.

    \b
    bash  eval "$(flops completion bash)" in ~/.bashrc
    zsh   eval "$(flops completion zsh)" in ~/.zshrc
    fish  flops completion fish > ~/.config/fish/completions/flops.fish
    """  # noqa: D301 - \b keeps click from joining the lines into one paragraph
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows the three shells of the choice
    click.echo(kind(context.find_root().command, {}, "flops", VARIABLE).source())

"""Commands, options and exit codes that the pages mention exist."""

import re
import shlex
from pathlib import Path

import click
import pytest

from flops_cli.__main__ import flops
from flops_cli.errors import EXPLANATIONS

ROOT = Path(__file__).parents[3]
PAGES = [
    ROOT / "README.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("services/*/README.md"),
]


def lines_in(page):
    """Return the lines of a page's blocks of code that call flops."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.match(r"(id=\$\()?flops [a-z-]", line)]


CALLS = sorted({(page.name, line) for page in PAGES for line in lines_in(page)})


def test_the_pages_do_show_calls():
    assert {page for page, _ in CALLS} >= {"cli.md", "operators.md", "edge-devices.md"}


@pytest.mark.parametrize(("page", "line"), CALLS)
def test_a_call_that_a_page_shows_exists(page, line):
    words = shlex.split(line.replace("id=$(", ""), comments=True)[1:]
    command, rest = flops, words
    while isinstance(command, click.Group):
        name, *rest = rest
        command = command.commands[name]

    options = {word for option in command.params for word in option.opts}
    assert {word for word in rest if word.startswith("--")} <= options


def parameters_of(command):
    if isinstance(command, click.Group):
        return [item for inner in command.commands.values() for item in parameters_of(inner)]
    return [(command.name, parameter) for parameter in command.params]


@pytest.mark.parametrize(
    ("command", "parameter"),
    [item for item in parameters_of(flops) if isinstance(item[1].type, click.Choice)],
)
def test_an_option_takes_the_words_of_the_sla(command, parameter):
    # click shows and takes the names of an enum's members: PYTORCH, and not pytorch.
    assert all(type(choice) is str for choice in parameter.type.choices)


def test_the_page_of_the_command_line_has_every_exit_code():
    rows = re.findall(
        r"^\| (\d+) \| (.*) \|$", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE
    )

    explanations = {int(code): text.lower() for code, text in rows}
    assert explanations == {code: text.rstrip(".").lower() for code, text in EXPLANATIONS.items()}


def test_the_page_of_the_command_line_has_every_group():
    page = (ROOT / "docs" / "cli.md").read_text()

    assert [name for name in flops.commands if f"flops {name}" not in page] == []

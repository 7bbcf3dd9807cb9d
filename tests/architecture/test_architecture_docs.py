"""The documentation's blocks of code are valid in the language that they name."""

import ast
import json
import re
import subprocess
import textwrap

import pytest

from flops_contracts.sla_documents import read_mock_sla, read_project_sla
from support.doc_blocks import ROOT, blocks

BLOCKS = list(blocks())
COMMAND = re.compile(
    r"^(\$ |make |flops |docker |curl |git |pip |python3? |sudo |export )", re.MULTILINE
)


def named(language):
    return [
        pytest.param(block, id=f"{block.page}:{block.line}")
        for block in BLOCKS
        if block.language == language
    ]


@pytest.mark.parametrize("block", named("sh"))
def test_commands_are_valid_shell(block):
    checked = subprocess.run(
        ["bash", "-n"], input=block.text, text=True, capture_output=True, check=False, timeout=120
    )
    # Where a reader fills something in there is <something>.
    assert checked.returncode == 0 or block.mark == "needs", checked.stderr


@pytest.mark.parametrize("block", named("sh"))
def test_commands_run_in_a_test_or_say_what_they_need(block):
    assert block.mark in {"", "world", "needs", "tested by"}
    if block.mark == "tested by":
        assert (ROOT / block.value).is_file()


@pytest.mark.parametrize("block", named(""))
def test_a_block_without_a_language_holds_no_commands(block):
    assert not COMMAND.search(block.text), "write ```sh, so that it is tested"


@pytest.mark.parametrize("block", named("python"))
def test_python_is_valid(block):
    ast.parse(textwrap.dedent(block.text))


@pytest.mark.parametrize("block", named("json"))
def test_json_is_valid_and_slas_are_accepted(block):
    document = json.loads(block.text)
    if "mock_data_configuration" in document:
        read_mock_sla(document)
    elif "ml_repo_url" in document:
        read_project_sla(document)


def test_most_pages_with_commands_are_run():
    assert {block.page for block in BLOCKS if block.runs} >= {
        "docs/api.md",
        "docs/cli.md",
        "docs/tutorials/first-project.md",
        "docs/tutorials/hierarchical.md",
        "docs/tutorials/own-device.md",
    }

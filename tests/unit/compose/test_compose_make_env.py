"""`make env`, as README and docs/ print it: the operators' configuration or the local one."""

import re

import pytest

from support.doc_blocks import ROOT, blocks

ADDRESS = "192.0.2.77"
PLACEHOLDER = re.compile(r"<[^<>\n]+>")
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())
COMMANDS = sorted(
    {
        line.partition(" #")[0].strip()
        for block in blocks()
        if block.language == "sh"
        for line in re.findall(r"^(?:\w+=\S+ )*make .*$", block.text, re.MULTILINE)
    }
)
ENV_COMMANDS = [command for command in COMMANDS if re.match(r"make env\b", command)]
OF_ONE_MACHINE = {"FLOPS_PUBLISH_ADDRESS", "FLOPS_ENGINE_SOCKET", "FLOPS_ENGINE_GROUP"}


def values_of(checkout):
    lines = (checkout / "compose" / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.fixture
def engine(tmp_path):
    """The address of an engine of which there is only the socket's file."""
    (tmp_path / "engine.sock").touch()
    return f"unix://{tmp_path}/engine.sock"


def test_the_documentation_prints_both_ways():
    assert "make env LOCAL=1" in ENV_COMMANDS
    assert [command for command in ENV_COMMANDS if "LOCAL" not in command]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_printed_make_command_names_targets_and_variables_that_exist(command):
    words = PLACEHOLDER.sub("filled-in", command).partition("&&")[0].split()
    given = [word.partition("=")[0] for word in words if "=" in word]
    targets = {word for word in words if re.fullmatch(r"[a-z-]+", word)} - {"make"}

    assert targets
    assert targets - TARGETS == set()
    assert [name for name in given if not re.search(rf"\b{name}\b", MAKEFILE)] == []


@pytest.mark.parametrize("command", [command for command in ENV_COMMANDS if "LOCAL" not in command])
def test_for_operators_it_writes_no_root_and_asks_for_no_engine(shell, checkout, command):
    printed = shell(PLACEHOLDER.sub(ADDRESS, command), DOCKER_HOST="unix:///nowhere.sock")

    values = values_of(checkout)
    assert values["FLOPS_OAKESTRA_PASSWORD"] == ""
    assert "Set FLOPS_OAKESTRA_PASSWORD" in printed
    assert values.keys() & OF_ONE_MACHINE == set()
    assert not values["SYSTEM_MANAGER_IP"].startswith("172.17.")


def test_the_address_that_is_given_is_everywhere(shell, checkout):
    shell(f"make env ADDRESS={ADDRESS}")

    addresses = {value for name, value in values_of(checkout).items() if name.endswith("_IP")}
    assert addresses == {ADDRESS}


@pytest.mark.parametrize("command", [command for command in ENV_COMMANDS if "LOCAL" in command])
def test_for_one_machine_it_invents_a_root_and_finds_the_engine(shell, checkout, engine, command):
    shell(command, DOCKER_HOST=engine)

    values = values_of(checkout)
    assert len(values["FLOPS_OAKESTRA_PASSWORD"]) == 48
    assert values["FLOPS_ENGINE_SOCKET"] == engine.removeprefix("unix://")
    assert values["SYSTEM_MANAGER_IP"] == values["FLOPS_PUBLISH_ADDRESS"] == "172.17.0.1"


def test_values_that_are_there_stay(shell, checkout):
    (checkout / "compose" / ".env").write_text("FLOPS_MONGO_PASSWORD=kept\n")

    shell("make env")

    assert values_of(checkout)["FLOPS_MONGO_PASSWORD"] == "kept"


def test_passwords_are_for_the_owner_of_the_file_only(shell, checkout):
    shell("make env")

    assert (checkout / "compose" / ".env").stat().st_mode & 0o777 == 0o600

"""The command line itself: exit codes and messages."""

import json
import subprocess
import sys

import click
import pytest

from flops_cli.__main__ import flops, main
from flops_cli.commands.context import if_interrupted
from flops_cli.errors import EXPLANATIONS, ClientError, CliExitCode
from flops_contracts.version import VERSION


def every_error(kind=ClientError):
    return {kind, *(error for child in kind.__subclasses__() for error in every_error(child))}


def leaves_of(group, words=("flops",)):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves_of(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


LEAVES = dict(leaves_of(flops))


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_help_and_json(name):
    options = {word for option in LEAVES[name].params for word in option.opts}

    assert LEAVES[name].help
    assert "--json" in options


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_is_explained(name):
    options = [item for item in LEAVES[name].params if isinstance(item, click.Option)]

    assert [item.name for item in options if not item.help] == []


@pytest.mark.parametrize("width", [60, 80])
def test_the_list_of_commands_shows_whole_sentences(width):
    for group in (flops, *(item for item in flops.commands.values() if hasattr(item, "commands"))):
        shown = group.get_help(click.Context(group, terminal_width=width))
        words = " ".join(shown.split())

        assert max(map(len, shown.partition("Exit codes")[0].splitlines())) <= width
        assert all(item.get_short_help_str(200) in words for item in group.commands.values())


def test_the_version_is_that_of_every_package(capsys):
    assert main(["--version"]) == CliExitCode.DONE

    assert capsys.readouterr().out.strip() == VERSION


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_completion_script(shell, capsys):
    assert main(["completion", shell]) == CliExitCode.DONE

    script = capsys.readouterr().out
    assert f"_FLOPS_COMPLETE={shell}_complete" in script


def test_commands_of_a_group_are_completed(monkeypatch, capsys):
    monkeypatch.setenv("_FLOPS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "flops project re")
    monkeypatch.setenv("COMP_CWORD", "2")

    with pytest.raises(SystemExit):
        main([])

    assert capsys.readouterr().out.split() == ["plain,retry"]


@pytest.mark.parametrize("order", [["--json", "mock", "start"], ["mock", "start", "--json"]])
def test_an_error_is_json_with_the_json_option(order, capsys):
    assert main([*order, "no-such-file"]) == CliExitCode.USAGE

    shown = capsys.readouterr()
    assert json.loads(shown.err)["exit_code"] == CliExitCode.USAGE
    assert "no-such-file" in json.loads(shown.err)["message"]
    assert shown.out == ""


def test_wrong_arguments_are_reported_as_json_with_the_json_option(capsys):
    assert main(["project", "start", "--json"]) == CliExitCode.USAGE

    assert "SLA.json" in json.loads(capsys.readouterr().err)["message"]


def test_no_colour_reaches_a_pipe(capsys):
    main(["mock", "start", "no-such-file"])

    assert "\x1b" not in capsys.readouterr().err


def test_every_exit_code_is_explained():
    assert set(EXPLANATIONS) == set(CliExitCode)


def test_every_expected_error_has_an_exit_code_of_its_own():
    assert all(error.exit_code is not CliExitCode.BUG for error in every_error() - {ClientError})


def test_help_lists_the_exit_codes(capsys):
    assert main(["--help"]) == CliExitCode.DONE

    assert EXPLANATIONS[CliExitCode.CANCELLED] in capsys.readouterr().out


def test_wrong_arguments_are_a_usage_error():
    assert main(["project", "start"]) == CliExitCode.USAGE


def test_an_sla_with_percent_comments_is_refused_with_a_hint(tmp_path, capsys):
    file = tmp_path / "sla.json"
    file.write_text('{"customerID": "Admin" % who\n}')

    assert main(["project", "start", str(file)]) == CliExitCode.USAGE

    assert "% comments" in capsys.readouterr().err


def test_without_a_login_the_error_names_the_login_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("FLOPS_USER", raising=False)

    assert main(["project", "list"]) == CliExitCode.NOT_ALLOWED

    assert "flops login" in capsys.readouterr().err


@pytest.mark.parametrize("document", ["[]", "3", '"text"'])
def test_an_sla_that_is_not_an_object_is_refused(document, tmp_path):
    file = tmp_path / "sla.json"
    file.write_text(json.dumps(json.loads(document)))

    assert main(["mock", "start", str(file)]) == CliExitCode.USAGE


@pytest.mark.parametrize("command", [["project", "delete", "p1"], ["login", "--user", "ada"]])
def test_a_question_without_anybody_to_answer_names_the_options(command):
    ended = subprocess.run(
        [sys.executable, "-m", "flops_cli", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,  # so that there is no terminal to ask at
        check=False,
    )

    assert ended.returncode == CliExitCode.USAGE
    assert "--yes to confirm" in ended.stderr


def test_ctrl_c_says_what_goes_on(capsys):
    @flops.command("wait")
    def wait():
        with if_interrupted("The project goes on."):
            raise KeyboardInterrupt

    try:
        assert main(["wait"]) == CliExitCode.INTERRUPTED
    finally:
        del flops.commands["wait"]

    assert capsys.readouterr().err.strip() == "Interrupted. The project goes on."


@pytest.mark.parametrize("option", ["--api-url", "--oakestra-url"])
@pytest.mark.parametrize("text", ["127.0.0.1:5072", "localhost:1", "http://", "http://host:99999"])
def test_what_is_not_an_address_is_refused_with_an_example(option, text, capsys):
    assert main([option, text, "project", "list"]) == CliExitCode.USAGE

    assert f"is '{text}', but must be an address such as http://host" in capsys.readouterr().err


def test_the_url_of_a_data_server_is_refused(capsys):
    assert main(["data", "list", "--server", "http://127.0.0.1:11027"]) == CliExitCode.USAGE

    assert "host[:port]" in capsys.readouterr().err

"""The command line itself: exit codes and messages."""

import json

import pytest

from flops_cli.__main__ import main
from flops_cli.errors import EXPLANATIONS, ClientError, CliExitCode


def every_error(kind=ClientError):
    return {kind, *(found for one in kind.__subclasses__() for found in every_error(one))}


def test_every_exit_code_is_explained():
    assert set(EXPLANATIONS) == set(CliExitCode)


def test_every_expected_error_has_an_exit_code_of_its_own():
    assert all(one.exit_code is not CliExitCode.BUG for one in every_error() - {ClientError})


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


def test_without_a_login_the_user_is_told_how(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("FLOPS_USER", raising=False)

    assert main(["project", "list"]) == CliExitCode.NOT_ALLOWED

    assert "flops login" in capsys.readouterr().err


@pytest.mark.parametrize("document", ["[]", "3", '"text"'])
def test_an_sla_that_is_no_object_is_refused(document, tmp_path):
    file = tmp_path / "sla.json"
    file.write_text(json.dumps(json.loads(document)))

    assert main(["mock", "start", str(file)]) == CliExitCode.USAGE

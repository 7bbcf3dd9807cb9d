"""A port that is taken is reported with the setting that chooses another."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flops_contracts.exit_codes import ExitCode
from flops_ml_data_server.settings import DataServerProcess
from flops_project_observer.journal import Journal
from flops_project_observer.pages import Pages
from flops_runtime.environment import read
from flops_runtime.listening import PortTakenError, listening_on
from flops_runtime.one_shot import exit_with
from flops_runtime.settings import ProcessSettings
from flops_runtime.status import Status, StatusServer
from support.loopback import free_port


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(ProcessSettings, "FLOPS_STATUS_PORT"), (DataServerProcess, "FLOPS_HTTP_PORT")],
)
def test_the_status_api_names_the_setting_of_its_port(taken_port, kind, setting):
    variables = {"FLOPS_BIND_ADDRESS": "127.0.0.1", setting: str(taken_port)}
    settings = read(kind, variables)

    with pytest.raises(PortTakenError, match=f"127.0.0.1:{taken_port}") as raised:
        StatusServer(settings, Status("service")).start()

    assert setting in raised.value.hint
    assert raised.value.exit_code is ExitCode.BAD_SETTINGS


def test_the_pages_of_a_project_name_theirs(taken_port):
    pages = Pages("127.0.0.1", taken_port, "project", Journal(10, print))

    with pytest.raises(PortTakenError) as raised:
        pages.start()

    assert "FLOPS_PAGES_PORT" in raised.value.hint


def test_a_process_ends_with_one_line_about_it(taken_port, capsys):
    def run():
        with listening_on(("127.0.0.1", taken_port), "FLOPS_ANY_PORT"):
            socket.create_server(("127.0.0.1", taken_port))

    with pytest.raises(SystemExit) as ended:
        exit_with(run)

    assert ended.value.code == ExitCode.BAD_SETTINGS
    (line,) = capsys.readouterr().err.splitlines()
    assert "in use" in line
    assert "set FLOPS_ANY_PORT" in line


def test_a_free_port_for_a_test_is_in_no_other_process_block():
    code = "from support.loopback import free_port; print(free_port())"
    tests = str(Path(__file__).parents[2])
    mine = free_port()

    other = subprocess.run(
        [sys.executable, "-c", code], cwd=tests, capture_output=True, text=True, check=True
    )

    assert int(other.stdout) // 100 != mine // 100
    with socket.create_server(("127.0.0.1", mine)):
        assert free_port() != mine

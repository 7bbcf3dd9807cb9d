"""The embedded suite as a whole: it starts, names a part that crashed, leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from flops_cli.client import FlopsClient
from flops_cli.errors import CliExitCode, LocalSuiteError
from flops_cli.local.environments import installations
from flops_cli.local.network import Network
from flops_cli.local.places import find_places
from flops_cli.local.processes import descendants, start_time
from flops_cli.local.running import announced, end, suite_in, suites_in
from flops_cli.local.suite import ADMIN, Suite
from support.loopback import free_network
from support.waiting import until

HOME = os.environ.get("FLOPS_HOME")
PLACES = find_places(None, Path(HOME).resolve() if HOME else None, Path(__file__))


def is_installed():
    # Whether it is up to date does not matter here.
    return all(installation.stamp.exists() for installation in installations(PLACES))


pytestmark = pytest.mark.skipif(
    not is_installed(), reason=f"no environments at {PLACES.environments}: `make install`"
)


@pytest.fixture
def network():
    return Network(free_network())


@pytest.fixture
def suite(network, tmp_path):
    suite = Suite(PLACES, network, tmp_path, {"PATH": os.environ["PATH"]}, lambda _: None)
    yield suite
    suite.stop()


def below(suite):
    return {pid for child in suite.children for pid in (child.pid, *descendants(child.pid))}


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_breaks_is_named_with_its_last_lines_and_nothing_is_left_behind(suite, network):
    suite.start()
    with FlopsClient.logged_in(
        network.api_url, network.oakestra_url, ADMIN, suite.secrets.root_password
    ) as client:
        projects = client.projects()
    started = below(suite)
    broken = next(child for child in suite.children if child.name == "broker")

    os.kill(broken.pid, signal.SIGKILL)

    until(lambda: broken.exit_code() is not None)
    with pytest.raises(LocalSuiteError, match="broker ended unexpectedly") as raised:
        suite.require_alive()
    suite.stop()
    assert projects == ()
    assert raised.value.errors
    assert len(started) > 5
    assert [pid for pid in started if is_alive(pid)] == []


@pytest.fixture
def home(tmp_path):
    """A separate state folder with the same installations; its suites are ended."""
    for shared in (PLACES.environments, PLACES.images, PLACES.datasets):
        shared.mkdir(exist_ok=True)
        (tmp_path / shared.name).symlink_to(shared)
    yield tmp_path
    for running in suites_in(tmp_path).values():
        end(running)


def run(home, *arguments):
    """Run `flops local ...` as a program; return its exit code and the JSON that it printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "flops_cli", "local", *arguments, "--json"],
        env={**os.environ, "FLOPS_HOME": str(home)},
        cwd=PLACES.repository,
        stdout=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout or "null")


def test_down_ends_a_detached_suite(home):
    up, addresses = run(home, "up", "--detach")
    answer = requests.get(f"{addresses['api_url']}/readyz", timeout=120)
    again, _ = run(home, "up")
    (running,) = suites_in(home).values()
    started = {running.pid, *descendants(running.pid)}

    down, ended = run(home, "down")

    assert (up, answer.status_code, again, down) == (0, 200, CliExitCode.LOCAL_FAILED, 0)
    assert ended == {"ended": [{"pid": running.pid, "api_url": addresses["api_url"]}]}
    assert [pid for pid in started if start_time(pid)] == []


def test_down_succeeds_without_a_suite(home):
    assert run(home, "down") == (0, {"ended": []})


def test_another_process_with_the_id_of_a_suite_is_not_a_suite(home):
    state = home / "local"
    with announced(state, Network("127.30")):
        running = suite_in(state)
        file = state / "running.json"
        file.write_text(file.read_text().replace(running.started, "1"))

        assert suite_in(state) is None

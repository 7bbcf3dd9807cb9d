"""Addresses that were mixed up: the message says what answers there, and what to set."""

import threading
from contextlib import contextmanager

import pytest
from flask import Flask
from werkzeug.serving import make_server

from flops_cli.client import FlopsClient
from flops_cli.credentials import RootLogin
from flops_cli.errors import NotAllowedError, NotFoundError, UnreachableError
from flops_flight.client import DataServer
from flops_flight.errors import DataServerUnreachableError
from support.data_plane import a_data_server
from support.local_oakestra import World as Root
from support.manager_api import World as Manager


class GivenToken:
    def token(self):
        return "Admin's"

    def renewed(self):
        return "Admin's"


@contextmanager
def served(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Return the address of each kind of server."""
    site = Flask("site")
    site.add_url_rule("/", view_func=lambda: "<html>hello</html>")
    folder = tmp_path_factory.mktemp("servers")
    root = Root(folder / "root").start()
    with (
        a_data_server(folder / "volume") as data,
        served(Manager().api()) as manager,
        served(site) as other,
    ):
        yield {
            "root": root.url,
            "manager": manager,
            "data server": f"http://{data.address}",
            "data server's status": data.http,
            "site": other,
        }
    root.end()


def client_at(url):
    return FlopsClient(url, GivenToken(), first_wait_seconds=0.01)


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        ("root", "an Oakestra root orchestrator answers"),
        ("data server", "does not speak HTTP"),
        ("data server's status", "another program"),
        ("site", "another program"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        FlopsClient.projects,
        lambda client: client.project("p1"),
        lambda client: client.submit_project({}),
        lambda client: next(client.follow("p1")),
        FlopsClient.tracking,
    ],
)
def test_a_client_says_what_answers_in_place_of_a_manager(addresses, answering, said, call):
    with (
        client_at(addresses[answering]) as client,
        pytest.raises(UnreachableError, match=said) as raised,
    ):
        call(client)

    assert addresses[answering] in raised.value.message
    assert "Set FLOPS_API_URL or --api-url" in raised.value.hint


@pytest.mark.parametrize(
    ("answering", "said"),
    [("manager", "a FLOps manager answers"), ("site", "another program")],
)
def test_a_login_says_what_answers_in_place_of_a_root(addresses, answering, said):
    with pytest.raises(UnreachableError, match=said) as raised:
        RootLogin(addresses[answering]).log_in("Admin", "Admin")

    assert "Set FLOPS_OAKESTRA_URL or --oakestra-url" in raised.value.hint


def test_a_wrong_password_is_still_a_wrong_password(addresses):
    with pytest.raises(NotAllowedError, match="rejects this password"):
        RootLogin(addresses["root"]).log_in("Admin", "wrong")


def test_a_missing_project_is_still_missing(addresses):
    with client_at(addresses["manager"]) as client, pytest.raises(NotFoundError, match="p1"):
        client.project("p1")


def test_a_manager_in_place_of_a_data_server_is_reported_with_a_hint(addresses):
    address = addresses["manager"].removeprefix("http://")

    with DataServer(address) as node, pytest.raises(DataServerUnreachableError) as raised:
        node.list_fragments(None)

    assert "this is the address of its data server" in raised.value.hint

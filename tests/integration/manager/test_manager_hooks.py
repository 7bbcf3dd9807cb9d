"""Webhooks between a root and the manager: registered, received, verified, and taken back."""

import http.client
import json
import socket

import pytest
import requests

from flops_manager.adapters.oakestra_hooks import OakestraHooks
from flops_manager.domain.errors import OrchestratorUnavailableError
from support.broker import free_port
from support.local_oakestra import TIMEOUT, Client, World
from support.waiting import until

GOOD = {"entity": "jobs", "entity_id": "x", "event": "post_update"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("oakestra"))
    try:
        yield world.start()
    finally:
        world.end()


def hooks_url(world):
    return f"http://{world.network}.0.1:11011"


def listed(world):
    return requests.get(f"{hooks_url(world)}/api/v1/hooks/", timeout=TIMEOUT).json()


class Hearing:
    """The manager's side of hooks at a root."""

    def __init__(self, url, port=0):
        self.port = port or free_port()
        self.calls = 0
        self.hooks = OakestraHooks(url, f"http://127.0.0.1:{self.port}", "127.0.0.1", self.port)

    def hear(self):
        self.hooks.hear(self.count_call)
        return self

    def count_call(self):
        self.calls += 1


@pytest.fixture
def hearing(world):
    hearing = Hearing(hooks_url(world)).hear()
    yield hearing
    hearing.hooks.stop()


def call(world, document=GOOD, **changes):
    """Call the registered hook as the root does; return the status."""
    (hook,) = listed(world)
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    url = changes.pop("url", hook["webhook_url"])
    return requests.post(url, data=body, timeout=TIMEOUT).status_code


def test_a_change_at_the_root_is_reported(world, hearing):
    client = Client(world)

    service = client.run("no such image")

    until(lambda: hearing.calls)
    client.request("DELETE", f"/api/service/{service}")


def test_it_is_registered_once_however_often_it_is_renewed(world, hearing):
    hearing.hear()

    (hook,) = listed(world)
    assert (hook["entity"], hook["events"]) == ("jobs", ["post_update", "post_delete"])
    assert hearing.hooks.is_heard


def test_a_hook_that_got_lost_at_the_root_is_registered_again(world, hearing):
    (hook,) = listed(world)
    requests.delete(f"{hooks_url(world)}/api/v1/hooks/{hook['_id']}", timeout=TIMEOUT)

    hearing.hear()

    assert len(listed(world)) == 1


def test_the_hook_of_a_manager_that_was_killed_is_replaced(world):
    port = free_port()
    killed = Hearing(hooks_url(world), port).hear()
    killed.hooks._receiver.close()
    (old,) = listed(world)

    successor = Hearing(hooks_url(world), port).hear()

    (new,) = listed(world)
    assert new["webhook_url"] != old["webhook_url"]
    successor.hooks.stop()


def test_stopping_leaves_nothing_at_the_root(world):
    hearing = Hearing(hooks_url(world)).hear()

    hearing.hooks.stop()
    hearing.hooks.stop()

    assert listed(world) == []
    assert not hearing.hooks.is_heard


def test_a_good_call_counts(world, hearing):
    assert call(world) == 204
    until(lambda: hearing.calls == 1)


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (b"nonsense", 400),
        (b"[]", 400),
        (b"[" * 3000, 400),
        ({**GOOD, "entity": "applications"}, 400),
        ({**GOOD, "event": "pre_create"}, 400),
        (b"x" * 5000, 413),
    ],
    ids=["nonsense", "list", "nested", "entity", "event", "large"],
)
def test_what_no_root_sends_counts_for_nothing(world, hearing, document, status):
    assert (call(world, document), hearing.calls) == (status, 0)


def test_without_the_secret_path_nothing_counts(world, hearing):
    assert call(world, url=f"http://127.0.0.1:{hearing.port}/guessed") == 404
    assert hearing.calls == 0


def test_a_call_without_a_length_is_refused(world, hearing):
    (hook,) = listed(world)
    connection = http.client.HTTPConnection("127.0.0.1", hearing.port, timeout=TIMEOUT)
    connection.putrequest("POST", "/" + hook["webhook_url"].rpartition("/")[2])
    connection.endheaders()

    assert (connection.getresponse().status, hearing.calls) == (411, 0)
    connection.close()


def test_who_opens_many_connections_takes_no_thread_for_each(world, hearing):
    crowd = [socket.create_connection(("127.0.0.1", hearing.port)) for _ in range(16)]
    late = until(lambda: is_shown_the_door(hearing.port), what="the next one is not served")

    assert late
    for item in crowd:
        item.close()
    until(lambda: not is_shown_the_door(hearing.port), what="there is room again")


def is_shown_the_door(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(0.3)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True


def test_a_root_without_hooks_is_said_to_have_none():
    hearing = Hearing(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(OrchestratorUnavailableError):
        hearing.hear()

    assert not hearing.hooks.is_heard
    hearing.hooks.stop()

"""Webhooks of the root's resource abstractor."""

import pytest
import requests

from support.hook_receiver import hearing
from support.local_oakestra import TIMEOUT, Client, World, answer, error
from support.waiting import until

STAY = "import signal; signal.pause()"
JOBS = ["post_update", "post_delete"]


class Hooks:
    """The hooks' API, which needs no token."""

    def __init__(self, world: World) -> None:
        self.url = f"http://{world.network}.0.1:11011/api/v1/hooks/"

    def create(self, **changes) -> requests.Response:
        hook = {
            "hook_name": "mine",
            "webhook_url": "http://127.0.0.1:1/nobody",
            "entity": "jobs",
            "events": JOBS,
            **changes,
        }
        return requests.post(self.url, json=hook, timeout=TIMEOUT)

    def all(self) -> list[dict]:
        return requests.get(self.url, timeout=TIMEOUT).json()

    def delete(self, hook_id: str) -> int:
        return requests.delete(self.url + hook_id, timeout=TIMEOUT).status_code


@pytest.fixture
def hooks(world: World):
    hooks = Hooks(world)
    yield hooks
    for hook in hooks.all():
        hooks.delete(hook["_id"])


def test_a_hook_is_created_listed_and_deleted(hooks: Hooks):
    response = hooks.create()

    created = response.json()
    assert response.status_code == 201
    assert (created["hook_name"], created["entity"]) == ("mine", "jobs")
    assert hooks.all() == [created]
    assert (hooks.delete(created["_id"]), hooks.all()) == (204, [])


def test_a_name_that_is_taken_breaks_the_root(hooks: Hooks):
    hooks.create()

    response = hooks.create(webhook_url="http://127.0.0.1:1/another")

    assert answer(response) == error(500, "Internal Server Error")


def test_an_unknown_event_is_unprocessable(hooks: Hooks):
    assert answer(hooks.create(events=["post_mortem"])) == error(422, "Unprocessable Entity")


def test_every_change_of_a_service_calls_the_hook(world: World, client: Client, hooks: Hooks):
    with hearing() as heard:
        hooks.create(webhook_url=heard.url)
        service = client.run(world.image("stay", STAY))
        client.until_status(service, "RUNNING")
        client.request("DELETE", f"/api/service/{service}")

        until(lambda: {"entity": "jobs", "entity_id": service, "event": "post_delete"} in heard)
    updates = [call for call in heard if call["event"] == "post_update"]
    assert {call["entity_id"] for call in updates} == {service}
    assert len(updates) >= 3


def test_the_creation_of_a_service_calls_the_hook_with_its_other_entity(
    client: Client, hooks: Hooks
):
    with hearing() as heard:
        hooks.create(webhook_url=heard.url, entity="job", events=["post_create"])
        service = client.run("nothing")

        until(lambda: heard)
    assert heard == [{"entity": "job", "entity_id": service, "event": "post_create"}]


def test_a_webhook_without_an_answer_delays_nothing(world: World, client: Client, hooks: Hooks):
    hooks.create()

    service = client.run(world.image("stay", STAY))

    client.until_status(service, "RUNNING")

"""Webhooks of a root's resource abstractor, where it can be reached."""

import secrets

import pytest

from support.conformance_root import Root

HOOKS = "/api/v1/hooks/"


@pytest.fixture
def hooks(root: Root):
    """Return the API's URL, and take back what the test registers."""
    root.reach(11011, HOOKS)
    url = root.place.part(11011) + HOOKS
    before = {item["_id"] for item in root.ask("GET", url, token="").json()}
    yield url
    for item in root.ask("GET", url, token="").json():
        if item["_id"] not in before:
            root.ask("DELETE", url + item["_id"], token="")


def a_hook(**changes) -> dict:
    name = f"conf{secrets.token_hex(6)}"
    return {
        "hook_name": name,
        "webhook_url": f"http://127.0.0.1:1/{name}",
        "entity": "jobs",
        "events": ["post_update", "post_delete"],
        **changes,
    }


def test_a_hook_is_registered_listed_and_deleted(root: Root, hooks: str):
    hook = a_hook()

    created = root.ask("POST", hooks, token="", json=hook)

    listed = root.ask("GET", hooks, token="").json()
    (registered,) = [item for item in listed if item["hook_name"] == hook["hook_name"]]
    assert created.status_code == 201
    assert registered.items() >= hook.items()
    assert root.ask("DELETE", hooks + registered["_id"], token="").status_code == 204


def test_the_name_of_a_hook_is_unique(root: Root, hooks: str):
    hook = a_hook()
    root.ask("POST", hooks, token="", json=hook)

    again = {**hook, "webhook_url": "http://127.0.0.1:1/another"}

    assert root.ask("POST", hooks, token="", json=again).status_code == 500

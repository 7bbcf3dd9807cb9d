"""Tokens that a root really issued, verified by its key and by its permission endpoint."""

import json
import time

import pytest

from flops_manager.adapters.tokens import KeyTokenVerifier, RootTokenVerifier
from flops_manager.domain.errors import NotAuthenticatedError
from support.local_oakestra import Client, World

USERS = [{"name": "ada", "password": "lovelace", "roles": ["Application_Provider"]}]


class Clock:
    """The time of the verifiers, so that tests need not wait until they ask again."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.monotonic() + self.ahead


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oakestra")
    world = World(folder, FLOPS_LOCAL_USERS=json.dumps(USERS))
    try:
        yield world.start()
    finally:
        world.end()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["by key", "by asking"])
def verifier(request, world, clock):
    if request.param == "by key":
        return KeyTokenVerifier(world.key_url, clock=clock)
    return RootTokenVerifier(world.url, clock=clock)


def test_users_are_known_with_their_roles(world, verifier):
    admin = verifier.verify(Client(world).login["token"])
    ada = verifier.verify(Client(world, "ada", "lovelace").login["token"])

    assert (admin.user, admin.is_admin) == ("Admin", True)
    assert (ada.user, ada.is_admin) == ("ada", False)


def test_a_refresh_token_opens_nothing(world, verifier):
    with pytest.raises(NotAuthenticatedError):
        verifier.verify(Client(world).login["refresh_token"])


def test_tokens_of_before_a_restart_count_no_more_and_new_ones_do(world, verifier, clock):
    old = Client(world).login["token"]
    verifier.verify(old)

    world.end()
    world.start()
    clock.ahead = 60
    new = Client(world).login["token"]

    assert verifier.verify(new).user == "Admin"
    with pytest.raises(NotAuthenticatedError):
        verifier.verify(old)

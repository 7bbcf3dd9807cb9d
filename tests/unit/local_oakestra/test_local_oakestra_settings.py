"""The settings, and all that can be wrong with them."""

import json

import pytest

from flops_local_oakestra.domain.users import ROLES, Credentials
from flops_local_oakestra.settings import Settings
from flops_runtime.environment import BadSettingsError, Environment


def settings(**variables: str) -> Settings:
    return Settings.from_env(Environment(variables))


def test_nothing_has_to_be_set():
    read = settings()

    assert (read.address, read.port, read.key_port) == ("127.30.0.1", 10000, 10011)
    assert [cluster.name for cluster in read.clusters] == ["local"]
    assert read.users == (Credentials("Admin", "Admin", ROLES),)
    assert read.data_server_image == "ghcr.io/oakestra/addon-flops/ml-data-server:latest"


def test_the_network_moves_everything():
    read = settings(FLOPS_LOCAL_NETWORK="127.99")

    assert read.address == "127.99.0.1"
    assert read.clusters[0].nodes[0].address == "127.99.1.1"


def test_users_can_be_added_and_admin_changed():
    users = [{"name": "ada", "password": "x"}, {"name": "Admin", "password": "y", "roles": []}]

    read = settings(FLOPS_LOCAL_USERS=json.dumps(users))

    assert read.users == (
        Credentials("ada", "x", ("Application_Provider",)),
        Credentials("Admin", "y", ()),
    )


def test_passwords_are_not_shown():
    read = settings(FLOPS_LOCAL_USERS='[{"name": "ada", "password": "secret"}]')

    assert "secret" not in repr(read)
    assert "secret" not in repr(read.users)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLOPS_LOCAL_NETWORK", "10.30"),
        ("FLOPS_LOCAL_NETWORK", "127.300"),
        ("FLOPS_LOCAL_PORT", "0"),
        ("FLOPS_LOCAL_RESTART_SECONDS", "-1"),
        ("FLOPS_LOCAL_CONSTRAINTS", "some"),
        ("FLOPS_LOCAL_TOPOLOGY", "no json"),
        ("FLOPS_LOCAL_TOPOLOGY", '[{"cluster": "a"}]'),
        ("FLOPS_LOCAL_USERS", "{}"),
        ("FLOPS_LOCAL_USERS", '[{"name": "ada"}]'),
        ("FLOPS_LOCAL_USERS", '[{"name": "ada", "password": "x", "roles": ["King"]}]'),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str):
    with pytest.raises(BadSettingsError, match=name):
        settings(**{name: value})

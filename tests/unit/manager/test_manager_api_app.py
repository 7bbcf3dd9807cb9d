"""The settings that decide how callers are authenticated."""

import pytest

from flops_manager.entrypoints.api.app import create_app, senders_for
from flops_manager.entrypoints.api.callers import UnverifiedSenders, VerifiedSenders
from flops_manager.settings import HookSettings, Settings, settings_from
from flops_runtime.environment import BadSettingsError
from support.manager_api import World

REQUIRED = {
    "FLOPS_MQTT_URL": "mqtt://broker:9027",
    "FLOPS_MONGO_URL": "mongodb://store:10027",
    "FLOPS_OAKESTRA_URL": "http://root:10000",
    "FLOPS_OAKESTRA_PASSWORD": "secret",
}


def settings(**variables: str) -> Settings:
    """Return the settings of an environment with these variables."""
    return settings_from({**REQUIRED, **variables})


def test_tokens_are_verified_unless_somebody_says_otherwise():
    assert isinstance(senders_for(settings()), VerifiedSenders)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.30.0.1", "::1", "localhost"])
def test_authentication_can_be_off_on_loopback(address):
    given = settings(FLOPS_AUTH="off", FLOPS_BIND_ADDRESS=address)

    assert isinstance(senders_for(given), UnverifiedSenders)


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "flops.example"])
def test_without_authentication_nothing_else_is_bound(address):
    with pytest.raises(BadSettingsError, match="FLOPS_AUTH"):
        senders_for(settings(FLOPS_AUTH="off", FLOPS_BIND_ADDRESS=address))


def test_a_warning_says_that_authentication_is_off(caplog):
    senders_for(settings(FLOPS_AUTH="off", FLOPS_BIND_ADDRESS="127.0.0.1"))

    assert "FLOPS_AUTH is off" in caplog.text


def test_the_app_asks_for_tokens_by_default():
    api = create_app(World().use_cases(), settings())

    assert api.test_client().get("/api/flops/projects").status_code == 401


def test_the_app_believes_everybody_when_authentication_is_off():
    given = settings(FLOPS_AUTH="off", FLOPS_BIND_ADDRESS="127.0.0.1")
    api = create_app(World().use_cases(), given)

    answer = api.test_client().get("/api/flops/projects", base_url="http://127.0.0.1:5072")

    assert answer.status_code == 200


def test_webhooks_are_off_unless_the_root_has_an_address_for_them():
    assert settings().hooks is None
    assert settings(FLOPS_HOOK_URL="http://manager:5075").hooks is None


def test_webhooks_need_an_address_of_our_own():
    with pytest.raises(BadSettingsError, match="FLOPS_HOOK_URL is missing"):
        settings(FLOPS_OAKESTRA_HOOKS_URL="http://root:11011")


def test_webhooks_are_on_with_both_addresses():
    given = settings(
        FLOPS_OAKESTRA_HOOKS_URL="http://root:11011", FLOPS_HOOK_URL="http://manager:5075"
    )

    assert given.hooks == HookSettings("http://root:11011", "http://manager:5075", 5075)


def test_an_unknown_placement_mode_is_refused_with_a_list_of_the_known_ones():
    with pytest.raises(BadSettingsError, match="auto, direct, addons"):
        settings(FLOPS_PLACEMENT="by dice")

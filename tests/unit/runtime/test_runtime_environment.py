"""Settings: read once, typed, all wrong ones named together."""

import pytest

from flops_contracts.roles import Role
from flops_runtime.environment import BadSettingsError, Environment
from flops_runtime.settings import ActorSettings, MqttSettings

ACTOR = {
    "FLOPS_INSTANCE": "lrn0",
    "FLOPS_PROJECT_ID": "p1",
    "FLOPS_STAGE": "training",
    "FLOPS_MQTT_URL": "mqtt://flops@broker:1883",
}


def test_all_wrong_settings_are_named_together():
    environment = Environment({"COUNT": "many", "SWITCH": "maybe", "LEVEL": "LOUD", "DOC": "{"})
    environment.text("NAME", help="")
    environment.whole("COUNT", help="")
    environment.flag("SWITCH", False, help="")
    environment.text("LEVEL", "INFO", help="", choices=("INFO",))
    environment.document("DOC", help="")

    with pytest.raises(BadSettingsError) as caught:
        environment.check()

    assert all(name in str(caught.value) for name in ("NAME", "COUNT", "SWITCH", "LEVEL", "DOC"))


def test_what_is_given_is_typed():
    environment = Environment({"N": "3", "S": "1.5", "F": "yes", "I": "a, b,,", "D": '{"a": 1}'})

    values = (
        environment.whole("N", help=""),
        environment.seconds("S", 1, help=""),
        environment.flag("F", False, help=""),
        environment.items("I", help=""),
        environment.document("D", help=""),
    )

    environment.check()
    assert values == (3, 1.5, True, ("a", "b"), {"a": 1})


@pytest.mark.parametrize("value", ["-1", "0", "nan", "inf", "soon"])
def test_a_timeout_is_a_positive_number(value):
    environment = Environment({"T": value})
    environment.seconds("T", 1, help="")

    with pytest.raises(BadSettingsError):
        environment.check()


def test_a_secret_may_lie_in_a_file(tmp_path):
    (tmp_path / "password").write_text("hidden\n")
    environment = Environment({**ACTOR, "FLOPS_MQTT_PASSWORD_FILE": str(tmp_path / "password")})

    assert MqttSettings.from_env(environment).password == "hidden"


def test_a_secret_is_not_printed():
    settings = MqttSettings("mqtt://flops@broker", password="hidden")

    assert "hidden" not in repr(settings)


def test_an_actor_learns_who_it_is_and_where_to_report():
    environment = Environment(ACTOR)
    settings = ActorSettings.from_env(environment, Role.LEARNER)
    environment.check()

    assert (settings.actor.role, settings.actor.instance) == (Role.LEARNER, "lrn0")
    assert settings.topics.control == "flops/v1/projects/p1/control"
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.user) == ("broker", 1883, "flops")


def test_a_mock_data_provider_speaks_on_its_mocks_topics():
    environment = Environment({**ACTOR, "FLOPS_MOCK_ID": "m1"})
    settings = ActorSettings.from_env(environment, Role.MOCK_DATA_PROVIDER)

    assert settings.topics.result("mdp") == "flops/v1/mocks/m1/events/mdp"

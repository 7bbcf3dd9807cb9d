"""Settings: read once, typed, all wrong ones named together."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from flops_contracts.access import ParentAccess
from flops_contracts.declared import about, declared
from flops_contracts.orders import Assignment, LearnOrder, TrainOrder
from flops_contracts.privacy import DifferentialPrivacy, Privacy
from flops_contracts.roles import Role
from flops_contracts.sla import BestBy, DataSplit, Direction, Metric, Parametrised
from flops_runtime.environment import REQUIRED, BadSettingsError, documented, read, write
from flops_runtime.settings import ActorSettings, MockActorSettings, MqttSettings

ACTOR = {
    "FLOPS_INSTANCE": "lrn0",
    "FLOPS_PROJECT_ID": "p1",
    "FLOPS_STAGE": "training",
    "FLOPS_MQTT_URL": "mqtt://flops@broker:1883",
}


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class Group:
    name: str = field(metadata=about("Its name.", "NAME"))
    count: int = declared(1, "How many.", "COUNT", maximum=9)
    megabytes: int = declared(5 * 10**6, "Memory.", "MB", scale=10**6)


@dataclass(frozen=True)
class Everything:
    group: Group
    parent: ParentAccess | None
    seconds: float = declared(1.0, "A while.", "SECONDS")
    is_on: bool = declared(False, "A switch.", "SWITCH")
    level: Level = declared(Level.LOW, "How high.", "LEVEL")
    words: tuple[str, ...] = declared((), "Words.", "WORDS")
    folder: Path = declared(Path(), "A folder.", "FOLDER")
    strategy: Parametrised = declared(Parametrised("a"), "A document.", "STRATEGY")
    inner: str = "no variable"

    def problems(self):
        if self.seconds > 100:
            yield "SECONDS is too long"


def problems_of(**variables):
    with pytest.raises(BadSettingsError) as caught:
        read(Everything, variables)
    return caught.value.reason


def test_all_wrong_settings_are_named_together():
    problems = problems_of(
        COUNT="many", SWITCH="maybe", LEVEL="LOUD", STRATEGY="{", SECONDS="soon", MB="-1"
    )

    assert problems.count(";") == 6
    names = ("NAME", "COUNT", "SWITCH", "LEVEL", "STRATEGY", "SECONDS", "MB")
    assert all(name in problems for name in names)


def test_what_is_given_is_typed():
    settings = read(
        Everything,
        {
            "NAME": "n",
            "COUNT": "3",
            "MB": "7",
            "SECONDS": "1.5",
            "SWITCH": "yes",
            "LEVEL": "high",
            "WORDS": "a, b,,",
            "FOLDER": "/tmp",
            "STRATEGY": '{"name": "b"}',
        },
    )

    assert settings == Everything(
        Group("n", 3, 7 * 10**6),
        None,
        1.5,
        True,
        Level.HIGH,
        ("a", "b"),
        Path("/tmp"),
        Parametrised("b"),
    )


@pytest.mark.parametrize("value", ["-1", "0", "nan", "inf", "soon"])
def test_a_timeout_is_a_positive_number(value):
    assert "SECONDS" in problems_of(NAME="n", SECONDS=value)


def test_a_class_has_the_last_word_about_itself():
    assert problems_of(NAME="n", SECONDS="101") == "SECONDS is too long"


def test_a_group_that_may_be_missing_is_there_with_its_first_variable():
    settings = read(Everything, {"NAME": "n", "FLOPS_PARENT_ADDRESS": "a:1"})

    assert settings.parent == ParentAccess("a:1")


def test_a_secret_may_lie_in_a_file(tmp_path):
    (tmp_path / "password").write_text("hidden\n")
    variables = {**ACTOR, "FLOPS_MQTT_PASSWORD_FILE": str(tmp_path / "password")}

    assert read(MqttSettings, variables).password == "hidden"


def test_a_secret_is_not_printed():
    settings = MqttSettings("mqtt://flops@broker", password="hidden")

    assert "hidden" not in repr(settings)


def test_what_is_documented_has_kind_and_default():
    settings = {setting.name: setting for setting in documented(Everything)}

    assert settings["NAME"].default is REQUIRED
    assert (settings["LEVEL"].kind, settings["LEVEL"].default) == ("low or high", "low")
    assert (settings["MB"].kind, settings["MB"].default) == ("whole number", "5")
    assert settings["FLOPS_PARENT_ADDRESS"].default == ""


@pytest.mark.parametrize(
    "order",
    [
        Assignment("lrn0", "training", "p1", heartbeat_seconds=2.5, ships_logs=False),
        LearnOrder("a:1", ("x", "y"), 1, 2, DataSplit.SHARED, "anna"),
        TrainOrder(),
        TrainOrder(
            rounds=7,
            strategy=Parametrised("FedProx", {"proximal_mu": 0.5}),
            settle_seconds=120,
            best_by=BestBy(Metric.LOSS, Direction.MIN),
            privacy=Privacy(DifferentialPrivacy(1.0, 2.0)),
            leads_clusters=True,
        ),
    ],
    ids=lambda order: type(order).__name__,
)
def test_an_actor_reads_the_order_that_the_manager_wrote(order):
    assert read(type(order), write(order)) == order


def test_an_actor_learns_who_it_is_and_where_to_report():
    settings = read(ActorSettings, ACTOR, role=Role.LEARNER)

    assert (settings.actor.role, settings.actor.instance) == (Role.LEARNER, "lrn0")
    assert settings.topics.control == "flops/v1/projects/p1/control"
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.user) == ("broker", 1883, "flops")


def test_a_mock_data_provider_speaks_on_its_mocks_topics():
    variables = {**ACTOR, "FLOPS_MOCK_ID": "m1"}
    settings = read(MockActorSettings, variables, role=Role.MOCK_DATA_PROVIDER)

    assert settings.topics.result("mdp") == "flops/v1/mocks/m1/events/mdp"


@pytest.mark.parametrize(
    ("kind", "name"), [(ActorSettings, "FLOPS_PROJECT_ID"), (MockActorSettings, "FLOPS_MOCK_ID")]
)
def test_an_actor_works_for_a_project_or_a_mock(kind, name):
    with pytest.raises(BadSettingsError, match=f"{name} is missing"):
        read(kind, {}, role=Role.LEARNER)

"""The mock data provider as a process: a real broker, a real data server."""

import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest

from flops_contracts.envelope import decode, encode
from flops_contracts.events import RESULTS, Acknowledged, Actor, Event, Kind
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role
from flops_contracts.topics import mock_topics
from flops_mock_data_provider.builtin import is_in_split
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings
from flops_utils import data_source
from flops_utils.data_source import DataSource
from flops_utils.ml_repo_building_blocks import load_dataset
from support import forks
from support.broker import PASSWORD, running_broker
from support.data_plane import write_digits


@dataclass
class Manager:
    """Sees every event and confirms every result, as the manager does."""

    mock_id: str
    connection: MqttConnection
    events: list[Event] = field(default_factory=list)

    def take(self, _topic: str, data: bytes) -> None:
        if not data:
            return
        event = decode(data)
        self.events.append(event)
        if event.kind in RESULTS:
            actor = Actor(Role.MANAGER, "manager")
            answer = Acknowledged(event.event_id)
            now = datetime.now(UTC)
            order = Event(
                f"a{event.event_id}", self.mock_id, actor, "", Kind.ACKNOWLEDGED, now, answer
            )
            self.connection.send(mock_topics(self.mock_id).control, encode(order))

    def result(self):
        return next(event for event in self.events if event.kind in RESULTS)


@contextmanager
def a_manager(broker, mock_id):
    connection = MqttConnection(MqttSettings(broker.url, PASSWORD), "manager")
    manager = Manager(mock_id, connection)
    connection.subscribe(mock_topics(mock_id).all_events, manager.take)
    with connection:
        yield manager


@pytest.fixture(scope="module")
def broker():
    with running_broker() as broker:
        yield broker


@pytest.fixture
def provide(broker, node, tmp_path):
    """Run a provider to its end; return its exit code, its result and all its events."""
    write_digits(tmp_path)

    def run(**settings):
        mock_id = uuid.uuid4().hex[:12]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "FLOPS_INSTANCE": "mdp1",
            "FLOPS_MOCK_ID": mock_id,
            "FLOPS_STAGE": "providing",
            "FLOPS_BIND_ADDRESS": "127.0.0.1",
            "FLOPS_STATUS_PORT": "0",
            "FLOPS_DATA_SERVER_ADDRESS": node.address,
            "FLOPS_BUILTIN_DATASETS": str(tmp_path),
            "FLOPS_DATASET_NAME": "mnist",
            "FLOPS_DATA_TAG": "mnist",
            "FLOPS_NUMBER_OF_PARTITIONS": "3",
            "FLOPS_SOURCE": "builtin:mnist5k",
            **broker.environment,
            **settings,
        }
        with a_manager(broker, mock_id) as manager, (tmp_path / "provider.log").open("ab") as log:
            provider = forks.start(["flops_mock_data_provider"], environment, tmp_path, log)
            code = provider.wait(600)
            return code, manager.result().payload, manager.events

    return run


def test_three_fragments_are_provided_and_reported(provide, node):
    code, result, events = provide()

    progress = [event.payload.done for event in events if event.kind is Kind.PROGRESS]
    assert (code, progress) == (ExitCode.DONE, [0, 1, 2, 3])
    assert sorted(fragment.name for fragment in result.fragments) == node.visible()
    assert [fragment.rows for fragment in result.fragments] == [60, 60, 60]
    assert sum(fragment.labels["7"] for fragment in result.fragments) == 18


def test_the_same_seed_makes_the_same_fragments(provide, node):
    _, first, _ = provide()
    _, again, _ = provide()
    _, other, _ = provide(FLOPS_SEED="7")

    assert again == first
    assert len(node.visible()) == 6
    names = {fragment.name for fragment in first.fragments}
    assert names.isdisjoint(fragment.name for fragment in other.fragments)


def test_the_learners_of_a_node_get_the_pixels_of_the_file(provide, node, tmp_path):
    pixels = write_digits(tmp_path)
    provide()
    loaded = []
    shares = []

    for index in range(2):
        data_source.use(
            DataSource(
                node.address,
                ("mnist",),
                "0123456789ab",
                index,
                2,
                on_loaded=lambda *report: loaded.append(report),
            )
        )
        dataset = load_dataset()
        dataset.set_format("numpy")
        shares.append(dataset["image"].reshape((len(dataset), -1)))

    expected = pixels[is_in_split(np.repeat(np.arange(10), 20), "train")].reshape(180, -1)
    assert sorted(map(bytes, np.concatenate(shares))) == sorted(map(bytes, expected))
    assert [(rows, columns) for rows, _, columns in loaded] == [
        (len(share), ("image", "label")) for share in shares
    ]


@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        ({"FLOPS_SOURCE": "builtin:cifar"}, ExitCode.DATASET_UNAVAILABLE, "no builtin dataset"),
        ({"FLOPS_SOURCE": "/nowhere"}, ExitCode.DATASET_UNAVAILABLE, "nothing at /nowhere"),
        (
            {"FLOPS_SOURCE": "", "HF_ENDPOINT": "http://127.0.0.1:9"},
            ExitCode.DATASET_UNAVAILABLE,
            "cannot be reached",
        ),
        ({"FLOPS_NUMBER_OF_PARTITIONS": "999"}, ExitCode.DATASET_UNAVAILABLE, "180 rows"),
        ({"FLOPS_DATA_TAG": "../x"}, ExitCode.BAD_SETTINGS, "cannot read Upload"),
    ],
)
def test_a_failure_has_its_own_exit_code(provide, node, settings, code, reason):
    exit_code, failure, _ = provide(**settings)

    assert (exit_code, failure.exit_code) == (code, code)
    assert reason in failure.reason
    assert node.visible() == []

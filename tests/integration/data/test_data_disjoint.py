"""The learners of a project on two nodes: what they loaded, by their own counts and hashes.

Real mock data providers' work, real data servers, and learners as processes.
"""

import json
import os
import sys
from contextlib import ExitStack
from hashlib import sha256

import numpy as np
import pytest

from flops_contracts.envelope import decode
from flops_contracts.events import Kind
from flops_contracts.orders import ProvideOrder
from flops_contracts.roles import Role
from flops_contracts.sla import MockDataConfiguration, PartitionerChoice
from flops_contracts.topics import project_topics
from flops_mock_data_provider.builtin import is_in_split
from flops_mock_data_provider.providing import provide
from flops_mock_data_provider.settings import Loading, Settings
from flops_runtime.environment import read
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MockActorSettings, MqttSettings
from support import forks
from support.broker import PASSWORD, running_broker
from support.builds import Reports
from support.data_plane import a_data_server, write_digits
from support.waiting import until

PROJECT = "0123456789ab"
LEARNERS_ON_NODE = 2
SKEWED = PartitionerChoice("DirichletPartitioner", {"partition_by": "label", "alpha": 0.5})
MODEL_MANAGER = """
import hashlib, json, os, pathlib

from flops_utils.ml_repo_building_blocks import load_dataset


class ModelManager:
    def set_model_data(self):
        dataset = load_dataset().with_format("numpy")
        hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in dataset["image"]]
        instance = os.environ["FLOPS_INSTANCE"]
        pathlib.Path(f"{instance}.part").write_text(json.dumps(hashes))
        os.rename(f"{instance}.part", f"{instance}.json")
"""


@pytest.fixture
def nodes(tmp_path):
    with ExitStack() as stack:
        yield [
            stack.enter_context(a_data_server(tmp_path / f"volume-{number}")) for number in (1, 2)
        ]


@pytest.fixture
def hashes(nodes, tmp_path):
    """Provide skewed digits to both nodes; return the hash of every digit that was provided."""
    pixels = write_digits(tmp_path)
    for index, node in enumerate(nodes):
        identity = {
            "FLOPS_INSTANCE": "mdp",
            "FLOPS_MOCK_ID": "m",
            "FLOPS_STAGE": "providing",
            "FLOPS_MQTT_URL": "mqtt://x:1",
        }
        actor = read(MockActorSettings, identity, role=Role.MOCK_DATA_PROVIDER)
        request = MockDataConfiguration(
            "mnist", "mnist", 5, partitioner=SKEWED, source="builtin:mnist5k", nodes=len(nodes)
        )
        order = ProvideOrder(request, index)
        provide(Settings(actor, order, node.address, loading=Loading(tmp_path)), Reports())
    train = pixels[is_in_split(np.repeat(np.arange(10), 20), "train")]
    return [sha256(image.tobytes()).hexdigest() for image in train]


@pytest.fixture
def learn(nodes, tmp_path):
    """Start learners; return the hashes of each learner's rows, and its reported number."""
    (tmp_path / "model_manager.py").write_text(MODEL_MANAGER)
    with running_broker() as broker, ExitStack() as stack:
        reported = {}

        def take(_topic, data):
            event = decode(data) if data else None
            if event and event.kind is Kind.DATA_LOADED:
                reported[event.actor.instance] = event.payload.rows

        connection = MqttConnection(MqttSettings(broker.url, PASSWORD), "watcher")
        connection.subscribe(project_topics(PROJECT).all_events, take)
        stack.enter_context(connection)

        def run(split):
            names = []
            for number, node in enumerate(nodes):
                for index in range(LEARNERS_ON_NODE):
                    names.append(f"learner{number}{index}")
                    environment = {
                        "PATH": os.environ["PATH"],
                        "HOME": str(tmp_path),
                        "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
                        "FLOPS_INSTANCE": names[-1],
                        "FLOPS_PROJECT_ID": PROJECT,
                        "FLOPS_STAGE": "training",
                        "FLOPS_BIND_ADDRESS": "127.0.0.1",
                        "FLOPS_STATUS_PORT": "0",
                        "FLOPS_AGGREGATOR_ADDRESS": "127.0.0.1:9",
                        "FLOPS_GRID_TOKEN": "token",
                        "FLOPS_DATA_TAGS": "mnist",
                        "FLOPS_DATA_SPLIT": split,
                        "FLOPS_LEARNER_INDEX": str(index),
                        "FLOPS_NODE_LEARNERS": str(LEARNERS_ON_NODE),
                        "FLOPS_DATA_SERVER_ADDRESS": node.address,
                        **broker.environment,
                    }
                    with (tmp_path / f"{names[-1]}.log").open("wb") as log:
                        process = forks.start(["flops_learner"], environment, tmp_path, log)
                    stack.callback(process.wait, 15)
                    stack.callback(process.kill)
            files = [tmp_path / f"{name}.json" for name in names]
            until(lambda: all(file.exists() for file in files), 120, "every learner's data")
            until(lambda: set(reported) == set(names), 30, "every learner's report")
            return [json.loads(file.read_text()) for file in files], [
                reported[name] for name in names
            ]

        yield run


def test_no_row_is_loaded_twice_and_none_is_left_out(hashes, learn):
    loaded, reported = learn("exclusive")

    every = [row for rows in loaded for row in rows]
    assert [len(rows) for rows in loaded] == reported
    assert all(reported)
    assert len(every) == len(set(every)) == 180
    assert sorted(every) == sorted(hashes)


def test_learners_that_share_have_all_rows_of_their_node(hashes, learn):
    (first, second, *elsewhere), reported = learn("shared")

    assert sorted(first) == sorted(second)
    assert reported[0] + reported[2] == 180
    assert sorted(first + elsewhere[0]) == sorted(hashes)

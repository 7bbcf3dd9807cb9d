"""The worlds of the training's tests: a grid on loopback, and the actors as processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flops_contracts.envelope import decode, encode
from flops_contracts.events import RESULTS, Acknowledged, Actor, Event, Kind
from flops_contracts.roles import Role
from flops_contracts.topics import project_topics
from flops_grid.server.connections import Presence
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings
from support import forks
from support.broker import PASSWORD, Broker, free_port, running_broker

Process = subprocess.Popen[bytes] | forks.Fork
PROJECT = "0123456789ab"
TOKEN = "the-token-of-this-project"
ONE_CLIENT = {
    "FLOPS_LEARNERS": "1",
    "FLOPS_MIN_AVAILABLE_CLIENTS": "1",
    "FLOPS_MIN_FIT_CLIENTS": "1",
    "FLOPS_MIN_EVALUATE_CLIENTS": "1",
}

MODEL_MANAGER = '''
"""A classifier of two clouds of points; each learner makes its own points."""

import os

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss


class ModelManager:
    def __init__(self):
        self.model = LogisticRegression(max_iter=5, warm_start=True)
        self.model.classes_ = np.arange(2)
        self.model.coef_ = np.zeros((1, 3))
        self.model.intercept_ = np.zeros(1)

    def set_model_data(self):
        random = np.random.default_rng(int(os.environ["SEED"]))
        self.labels = np.arange(100) % 2
        self.points = random.normal(size=(100, 3)) + 3 * self.labels[:, None]

    def get_model(self):
        return self.model

    def get_model_parameters(self):
        return [self.model.coef_, self.model.intercept_]

    def set_model_parameters(self, parameters):
        self.model.coef_, self.model.intercept_ = parameters

    def fit_model(self):
        {fit}
        self.model.fit(self.points, self.labels)
        return len(self.points)

    def evaluate_model(self):
        loss = log_loss(self.labels, self.model.predict_proba(self.points))
        return loss, self.model.score(self.points, self.labels), len(self.points)
'''


@dataclass
class Manager:
    """Replaces the manager: receives every event and confirms every result."""

    connection: MqttConnection
    events: list[Event] = field(default_factory=list)

    def hear(self, _topic: str, data: bytes) -> None:
        if not data:
            return
        event = decode(data)
        self.events.append(event)
        if event.kind in RESULTS:
            order = Event(
                event_id=f"for-{event.event_id}",
                project_id=PROJECT,
                actor=Actor(Role.MANAGER, "manager"),
                stage=event.stage,
                kind=Kind.ACKNOWLEDGED,
                at=datetime.now(UTC),
                payload=Acknowledged(event.event_id),
            )
            self.connection.send(project_topics(PROJECT).control, encode(order))

    def heard(self, kind: Kind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]


@dataclass
class World:
    """Starts actors as processes, on loopback addresses and in a folder of its own."""

    folder: Path
    broker: Broker
    manager: Manager
    stack: ExitStack
    port: int = field(default_factory=free_port)
    cluster_ports: dict[int, int] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    is_quick: bool = True
    """Whether actors are forked off a process that has imported what they need."""

    @property
    def mlflow_url(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    def write_model(self, fit: str = "pass") -> None:
        (self.folder / "model_manager.py").write_text(MODEL_MANAGER.replace("{fit}", fit))

    def start(self, service: str, instance: str, **changes: str) -> Process:
        log = self.stack.enter_context((self.folder / f"{instance}.log").open("wb"))
        module, environment = f"flops_{service}", self.environment(instance) | changes
        process = (
            forks.start([module], environment, self.folder, log)
            if self.is_quick
            else subprocess.Popen(
                [sys.executable, "-m", module],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        )
        self.stack.callback(process.wait, 15)
        self.stack.callback(process.kill)
        return process

    def start_training(self, **changes: str) -> list[Process]:
        """Start an aggregator and two learners, each with points of its own."""
        return [
            self.start("aggregator", "aggregator", **changes),
            self.start("learner", "learner1", SEED="1", **changes),
            self.start("learner", "learner2", SEED="2", **changes),
        ]

    def start_cluster(self, number: int, instance: str = "") -> Process:
        """Start the aggregator of a cluster of one learner below the root, or start it again."""
        instance = instance or f"cag{number}"
        parent = {
            "FLOPS_PARENT_ADDRESS": f"127.0.0.1:{self.port}",
            "FLOPS_PARENT_TOKEN": TOKEN,
            "FLOPS_CLUSTER": f"cluster{number}",
            **self._of_cluster(number),
        }
        return self.start("aggregator", instance, **parent, **ONE_CLIENT)

    def start_clusters_learner(self, number: int) -> Process:
        """Start the learner of a cluster."""
        return self.start(
            "learner", f"learner{number}", SEED=str(number), **self._of_cluster(number)
        )

    def _of_cluster(self, number: int) -> dict[str, str]:
        port = self.cluster_ports.setdefault(number, free_port())
        return {
            "FLOPS_GRID_PORT": str(port),
            "FLOPS_AGGREGATOR_ADDRESS": f"127.0.0.1:{port}",
            "FLOPS_GRID_TOKEN": f"the-token-of-cluster-{number}",
        }

    def print_logs(self) -> None:
        """Print the actors' output, which explains why a test failed."""
        for log in sorted(self.folder.glob("*.log")):
            tail = log.read_text(errors="replace")[-4000:]
            print(f"--- {log.name}", tail, sep="\n")  # noqa: T201 - pytest shows it then

    def train(self) -> None:
        """Train to the end and keep the exit codes."""
        aggregator, *learners = self.start_training()
        self.codes = [aggregator.wait(300), *[learner.wait(300) for learner in learners]]

    def environment(self, instance: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.folder),
            "OMP_NUM_THREADS": "1",
            "SEED": "1",
            "FLOPS_INSTANCE": instance,
            "FLOPS_PROJECT_ID": PROJECT,
            "FLOPS_STAGE": "training",
            "FLOPS_STATUS_PORT": "0",
            "FLOPS_BIND_ADDRESS": "127.0.0.1",
            "FLOPS_GRID_PORT": str(self.port),
            "FLOPS_GRID_TOKEN": TOKEN,
            "FLOPS_AGGREGATOR_ADDRESS": f"127.0.0.1:{self.port}",
            "FLOPS_LEARNERS": "2",
            "FLOPS_MIN_AVAILABLE_CLIENTS": "2",
            "FLOPS_MIN_FIT_CLIENTS": "2",
            "FLOPS_MIN_EVALUATE_CLIENTS": "2",
            "FLOPS_TRAINING_ROUNDS": "2",
            "FLOPS_MLFLOW_URL": self.mlflow_url,
            "FLOPS_EXPERIMENT_NAME": "clouds",
            "FLOPS_MODEL_NAME": "clouds-model",
            "FLOPS_ML_MODEL_FLAVOR": "sklearn",
            **self.broker.environment,
        }


@contextmanager
def running_world(folder: Path) -> Iterator[World]:
    with ExitStack() as stack:
        broker = stack.enter_context(running_broker())
        connection = MqttConnection(MqttSettings(broker.url, PASSWORD), "manager")
        manager = Manager(connection)
        connection.subscribe(project_topics(PROJECT).all_events, manager.hear)
        stack.enter_context(connection)
        world = World(folder, broker, manager, stack)
        yield world
        world.print_logs()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def presences() -> list[Presence]:
    return []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running_world(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def new_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for all tests of a module."""
    with running_world(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(scope="module")
def trained_world(new_world: World) -> World:
    """A world in which an aggregator and two learners have done their work."""
    new_world.is_quick = False
    new_world.write_model()
    new_world.train()
    return new_world

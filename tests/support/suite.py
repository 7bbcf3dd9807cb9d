"""The whole embedded suite as real processes, for end-to-end tests."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from flops_cli.client import FlopsClient
from flops_cli.local.environments import Installer, installations
from flops_cli.local.network import Network
from flops_cli.local.places import Places, find_places
from flops_cli.local.suite import ADMIN, Secrets, Suite
from flops_contracts.names import project_application
from support.loopback import free_network
from support.waiting import until

REPOSITORIES = Path(__file__).parents[1] / "integration" / "builds" / "repos"
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "examples" / "ml-repos" / "mnist-sklearn"


def installed_places() -> Places:
    """Return the checkout's places, with every environment that the suite needs."""
    places = find_places(None, None, ROOT)
    uv = str(Path(sys.executable).with_name("uv"))
    installer = Installer(places, uv, sys.executable, dict(os.environ))
    installer.install(installer.outdated(installations(places)), lambda *_: None)
    return places


@dataclass(frozen=True)
class SharedSuite:
    """The addresses of a suite that another process started."""

    network: Network
    secrets: Secrets
    pid: int
    """Of the process that keeps it."""


class World:
    """A running suite, and what a user and an operator can do with it."""

    def __init__(self, suite: "Suite | SharedSuite", state: Path) -> None:
        network = suite.network
        self.suite = suite
        self.state = state
        self.client = FlopsClient.logged_in(
            network.api_url, network.oakestra_url, ADMIN, suite.secrets.root_password
        )

    def provide(
        self, tag: str, *, split: str = "train", partitions: int = 1, nodes: int = 1
    ) -> None:
        """Provide mock data under ``tag`` on some of the nodes, and wait for it."""
        self.provided(self.start_providing(tag, split=split, partitions=partitions, nodes=nodes))

    def start_providing(
        self, tag: str, *, split: str = "train", partitions: int = 1, nodes: int = 1
    ) -> str:
        """Start providing mock data under ``tag`` on some of the nodes; return the mock's id."""
        configuration = {
            "dataset_name": "mnist",
            "source": "builtin:mnist5k",
            "split": split,
            "number_of_partitions": partitions,
            "data_tag": tag,
            "nodes": nodes,
        }
        return self.client.submit_mock(
            {"customerID": ADMIN, "mock_data_configuration": configuration}
        )

    def provided(self, *mocks: str) -> None:
        """Wait until the data of all these mocks are there."""
        for mock in mocks:
            until(lambda mock=mock: self.client.mock(mock).stage.is_final, 240, f"mock {mock}")
            assert self.client.mock(mock).failure is None

    def finished(self, project_id: str, timeout_seconds: float = 240):
        """Wait until the project is in a final stage, and return it."""
        until(
            lambda: self.client.project(project_id).stage.is_final,
            timeout_seconds,
            f"the end of project {project_id}",
        )
        return self.client.project(project_id)

    def children(self) -> list[psutil.Process]:
        """Return everything that the orchestrator of this world started."""
        root = next(child for child in self.suite.children if child.name == "local-oakestra")
        return psutil.Process(root.pid).children(recursive=True)

    def process_of(self, instance: str) -> psutil.Process:
        """Return the process of a service, by its name."""
        for process in psutil.process_iter():
            try:
                runs_instance = process.environ().get("FLOPS_INSTANCE") == instance
                if runs_instance and any(word.startswith("flops_") for word in process.cmdline()):
                    return process
            except psutil.Error:
                continue
        raise AssertionError(f"{instance} does not run")

    def processes_of(self, project_id: str) -> list[str]:
        """Return the roles of the processes that work for a project, as their module names."""
        modules = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("FLOPS_PROJECT_ID") == project_id:
                    modules.append(next(w for w in process.cmdline() if w.startswith("flops_")))
            except (psutil.Error, StopIteration):
                continue
        return sorted(set(modules))

    def is_gone(self, project_id: str, *but: str) -> bool:
        """Return whether nothing works for a project any more, except these modules."""
        running = set(self.processes_of(project_id))
        return not self.services_of(project_id) and running <= set(but)

    def services_of(self, project_id: str) -> list[str]:
        """Return the names of the services in the project's application at the root."""
        root = self.suite.network.oakestra_url
        login = {"username": ADMIN, "password": self.suite.secrets.root_password}
        token = requests.post(f"{root}/api/auth/login", json=login, timeout=120).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        # The root answers lists as a JSON string that holds JSON.
        services = requests.get(f"{root}/api/services/", headers=headers, timeout=120).json()
        name = project_application(project_id)
        return [
            item["microservice_name"]
            for item in requests.models.complexjson.loads(services)
            if item["app_name"] == name
        ]


@contextmanager
def running_world(
    state: Path, topology: Sequence[Mapping[str, Any]] = (), **variables: str
) -> Iterator[World]:
    """Start the suite in a network of its own, and stop everything afterwards."""
    suite = Suite(
        installed_places(),
        Network(free_network()),
        state,
        {**os.environ, **variables},
        lambda _: None,
        topology,
    )
    with suite:
        world = World(suite, state)
        with world.client:
            yield world


def a_repository(
    folder: Path, changes: Mapping[str, str | None] | None = None, sample: Path = SAMPLE
) -> str:
    """Make a git repository of a sample with ``changes`` (None removes); return its URL."""
    folder.mkdir(parents=True)
    for source in sample.iterdir():
        if source.is_file():
            (folder / source.name).write_bytes(source.read_bytes())
    for name, text in (changes or {}).items():
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(text)
    author = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, timeout=120)
    return folder.as_uri()


def a_project_sla(repository: str, **changes) -> dict:
    """Return the SLA of the base case, with ``changes`` on top; those to training are merged."""
    training = {
        "mode": "classic",
        "data_tags": ["mnist"],
        "training_rounds": 3,
        "min_available_clients": 2,
        "min_fit_clients": 2,
        "min_evaluate_clients": 2,
        **changes.pop("training_configuration", {}),
    }
    return {
        "customerID": ADMIN,
        "ml_repo_url": repository,
        "ml_model_flavor": "sklearn",
        "training_configuration": training,
        **changes,
    }

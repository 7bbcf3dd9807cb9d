"""The management suite in compose: all of it starts, and its use needs a password."""

import json
import re
import shutil
import sys
from http import HTTPStatus
from pathlib import Path
from queue import Queue
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import requests

from containers.bench.bench import Bench
from containers.bench.shell import BenchError, run
from containers.bench.suite import ROOT, Suite
from support.doc_blocks import blocks

SERVICES = {
    "artifact-store",
    "backend-store",
    "flops_image_registry",
    "image-registry-push",
    "local-oakestra",
    "manager-api",
    "manager-worker",
    "mongo",
    "mqtt-broker",
}


PRINTED = sorted(
    {
        match.strip()
        for block in blocks()
        if block.language == "sh"
        for match in re.findall(
            r"^docker compose(?: (?:-f|--profile) \S+)+", block.text, re.MULTILINE
        )
    }
)
"""The documentation's calls of compose, up to the subcommand."""

EVENTS = "flops/v1/projects/p/events/learner1"
CONTROL = "flops/v1/projects/p/control"
SENT = {"Success", "No matching subscribers"}


def answer_to(host: str, topic: str, account: tuple[str, str] | None = None) -> str:
    """Return the broker's answer to a message, or to the client that tries to send it."""
    answers: Queue[str] = Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    if account:
        client.username_pw_set(*account)

    def connected(_client: object, _data: object, _flags: object, reason: Any, _: object) -> None:
        if reason.is_failure:
            answers.put(str(reason))
        else:
            client.publish(topic, "x", qos=1)

    client.on_connect = connected
    client.on_publish = lambda _c, _d, _number, reason, _p: answers.put(str(reason))
    client.connect(host, 9027)
    client.loop_start()
    try:
        return answers.get(timeout=10)
    finally:
        client.loop_stop()
        client.disconnect()


def status_of(method: str, url: str, password: str = "") -> int:
    account = ("flops", password) if password else None
    return requests.request(method, url, auth=account, timeout=10).status_code


def services(bench: Bench, file: Path) -> Any:
    config = bench.engine.docker("compose", "--file", file, "config", "--format", "json")
    return json.loads(config)["services"]


def test_everything_is_healthy(suite: Suite) -> None:
    # The service that makes passwords has ended.
    assert suite.states() == {**dict.fromkeys(SERVICES, "healthy"), "secrets": ""}


def test_the_manager_answers_when_its_neighbours_do(suite: Suite, bench: Bench) -> None:
    assert status_of("GET", f"http://{bench.bridge_address}:5072/readyz") == HTTPStatus.OK


def test_the_database_is_not_published(suite: Suite) -> None:
    with pytest.raises(BenchError):
        suite.compose("port", "mongo", "27017")


@pytest.mark.usefixtures("suite")
class TestRegistry:
    def test_images_are_pulled_without_a_password(self, bench: Bench) -> None:
        url = f"http://{bench.bridge_address}:5073/v2/_catalog"

        assert status_of("GET", url) == HTTPStatus.OK

    def test_nobody_pushes_where_images_are_pulled(self, bench: Bench) -> None:
        url = f"http://{bench.bridge_address}:5073/v2/a/blobs/uploads/"

        assert status_of("POST", url) == HTTPStatus.METHOD_NOT_ALLOWED

    def test_nobody_pushes_without_the_password(self, bench: Bench) -> None:
        url = f"http://{bench.bridge_address}:5074/v2/a/blobs/uploads/"

        assert status_of("POST", url) == HTTPStatus.UNAUTHORIZED

    def test_the_password_opens_it(self, suite: Suite, bench: Bench) -> None:
        url = f"http://{bench.bridge_address}:5074/v2/a/blobs/uploads/"

        answer = status_of("POST", url, suite.value("FLOPS_REGISTRY_PASSWORD"))

        assert answer == HTTPStatus.ACCEPTED

    def test_the_oak_clients_find_bash_and_the_data_in_it(self, suite: Suite) -> None:
        shell = ("bash", "-c", "cd /var/lib/registry && echo $BASH_VERSION")

        assert suite.engine.docker("exec", "flops_image_registry", *shell) != "\n"


@pytest.mark.usefixtures("suite")
class TestBroker:
    def test_nobody_comes_in_without_a_password(self, bench: Bench) -> None:
        assert answer_to(bench.bridge_address, EVENTS) == "Not authorized"

    def test_actors_report(self, suite: Suite, bench: Bench) -> None:
        actor = ("actor", suite.value("FLOPS_MQTT_ACTOR_PASSWORD"))

        assert answer_to(bench.bridge_address, EVENTS, actor) in SENT

    def test_actors_give_no_orders(self, suite: Suite, bench: Bench) -> None:
        actor = ("actor", suite.value("FLOPS_MQTT_ACTOR_PASSWORD"))

        assert answer_to(bench.bridge_address, CONTROL, actor) == "Not authorized"

    def test_the_manager_gives_orders(self, suite: Suite, bench: Bench) -> None:
        manager = ("manager", suite.value("FLOPS_MQTT_MANAGER_PASSWORD"))

        assert answer_to(bench.bridge_address, CONTROL, manager) in SENT


class TestConfiguration:
    """The configuration that compose makes of the files; nothing is started."""

    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        for name in ("compose", "docker"):
            ignore = shutil.ignore_patterns(".env")
            shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
        version = "shared/contracts/src/flops_contracts/version.py"
        (tmp_path / version).parent.mkdir(parents=True)
        shutil.copyfile(ROOT / version, tmp_path / version)
        return tmp_path

    def test_without_addresses_nothing_starts(self, bench: Bench, copy: Path) -> None:
        with pytest.raises(BenchError, match="make env"):
            bench.engine.docker("compose", "--file", copy / "compose/management.yml", "config")

    @pytest.mark.parametrize("command", PRINTED)
    def test_a_printed_command_finds_its_configuration(
        self, bench: Bench, copy: Path, command: str
    ) -> None:
        writer = [sys.executable, copy / "compose/make_env.py", "--local"]
        run(writer, env=bench.engine.environment)

        words = [*command.split(), "config", "--quiet"]
        assert run(words, folder=copy, env=bench.engine.environment) == ""

    def test_the_path_that_oak_clients_call_is_the_same_suite(
        self, bench: Bench, copy: Path
    ) -> None:
        environment = {"FLOPS_OAKESTRA_PASSWORD": "root's"}
        run([sys.executable, copy / "compose/make_env.py"], env=environment)

        theirs = services(bench, copy / "docker/flops_management.docker_compose.yml")

        assert theirs == services(bench, copy / "compose/management.yml")

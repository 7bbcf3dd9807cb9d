"""The public manual's way in: six addresses and one command, on a machine with nothing else.

First of the files here, because it uses the suite's own ports and names.
"""

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest
import requests

from containers.bench.bare import ADDRESSES, BareMachine
from containers.bench.bench import Bench
from containers.bench.engine import await_

SERVICES = {
    *("artifact-store", "backend-store", "flops_image_registry", "image-registry-push"),
    *("manager-api", "manager-worker", "mongo", "mqtt-broker"),
}
FILES = {
    "artifact-store": "FLOPS_ARTIFACT_STORE_PASSWORD",
    "backend-store": "FLOPS_BACKEND_STORE_PASSWORD",
    "image-registry-push": "FLOPS_REGISTRY_PASSWORD",
    "mongo": "MONGO_INITDB_ROOT_PASSWORD",
    "mqtt-broker": "FLOPS_MQTT_ACTOR_PASSWORD",
}


def answer(machine: BareMachine, path: str, port: int = 5072) -> requests.Response:
    return requests.get(f"http://{machine.address}:{port}{path}", timeout=20)


def passwords(machine: BareMachine) -> dict[str, str]:
    return {service: machine.secret(service, name) for service, name in FILES.items()}


def await_health(machine: BareMachine) -> None:
    healthy = {**dict.fromkeys(SERVICES, "healthy"), "secrets": "exit 0"}
    await_("a healthy suite", lambda: machine.states() == healthy, 120)


@pytest.fixture(scope="module")
def machine(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareMachine]:
    machine = BareMachine.prepare(bench, tmp_path_factory.mktemp("bare") / "flops")
    machine.down(with_data=True)
    try:
        machine.up()
        await_health(machine)
        yield machine
    finally:
        machine.down(with_data=True)


def test_six_addresses_are_enough(machine: BareMachine) -> None:
    assert len(ADDRESSES) == 6
    assert answer(machine, "/healthz").status_code == HTTPStatus.OK


def test_the_login_at_the_root_is_asked_for_in_one_sentence(machine: BareMachine) -> None:
    ready = answer(machine, "/readyz")

    assert ready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "Set FLOPS_OAKESTRA_PASSWORD" in ready.json()["message"]
    assert "Set FLOPS_OAKESTRA_PASSWORD" in machine.compose("logs manager-api")


def test_every_password_is_another_one_and_opens_its_service(machine: BareMachine) -> None:
    values = passwords(machine)
    url = f"http://{machine.address}:5074/v2/a/blobs/uploads/"
    account = ("flops", values["image-registry-push"])

    assert len(set(values.values())) == len(FILES)
    assert requests.post(url, timeout=20).status_code == HTTPStatus.UNAUTHORIZED
    assert requests.post(url, auth=account, timeout=20).status_code == HTTPStatus.ACCEPTED


def test_no_log_and_no_configuration_holds_a_password(machine: BareMachine) -> None:
    names = machine.compose("ps --all --quiet").split()
    texts = machine.compose("logs") + machine.engine.docker("inspect", *names)
    texts += machine.engine.docker("inspect", *machine.compose("images --quiet").split())

    assert [service for service, value in passwords(machine).items() if value in texts] == []


def test_a_service_cannot_read_the_passwords_of_another(machine: BareMachine) -> None:
    files = machine.compose("exec -T mqtt-broker ls /run/flops/secrets").split()

    assert files == ["FLOPS_MQTT_ACTOR_PASSWORD", "FLOPS_MQTT_MANAGER_PASSWORD"]


def test_the_login_can_be_set_afterwards(machine: BareMachine) -> None:
    before = passwords(machine)

    (machine.folder / "compose" / ".env").write_text("FLOPS_OAKESTRA_PASSWORD=of-the-root\n")
    machine.up()
    await_health(machine)

    assert passwords(machine) == before
    # Nothing listens where the root would be, so that is what it says next.
    assert "cannot be reached" in answer(machine, "/readyz").json()["message"]


def test_after_a_restart_by_the_clients_the_stores_are_the_same(machine: BareMachine) -> None:
    before = passwords(machine)

    machine.down()
    machine.up()
    await_health(machine)

    assert passwords(machine) == before
    assert json.loads(answer(machine, "/healthz").text)["message"] == "ok"

"""Services that run as containers of a real engine, from the request to the removed container."""

import json
import socket
from collections.abc import Iterator

import pytest

from flops_contracts.version import VERSION
from support.broker import free_port
from support.engine import TestEngine, engine_of_this_machine, free_bridge
from support.local_oakestra import IMAGES, Client, World
from support.waiting import until

SHELL = f"{IMAGES}/shell:{VERSION}"
DATA_SERVER = f"{IMAGES}/ml-data-server:{VERSION}"
STAY = "trap 'exit 143' TERM; sleep 3600 & wait $!"
SERVE = "trap 'exit 143' TERM; while :; do echo hello | nc -l -p 8080 & wait $!; done"
DATA = f"echo kept >> /ml_data_server_volume/file; {SERVE.replace('8080', '11027')}"


@pytest.fixture(scope="module")
def engine() -> Iterator[TestEngine]:
    with engine_of_this_machine() as test_engine:
        test_engine.image(SHELL, "echo nothing to do; exit 3")
        test_engine.image(DATA_SERVER, DATA)
        yield test_engine


class ContainerWorld(World):
    """A world whose services are containers, with its own port for data."""

    def __init__(self, folder, engine: TestEngine) -> None:
        self.engine = engine
        self.data_port = free_port("0.0.0.0")
        super().__init__(
            folder,
            free_bridge(engine),
            FLOPS_LOCAL_RUNTIME="containers",
            FLOPS_LOCAL_ENGINE=engine.engine.program,
            FLOPS_LOCAL_DATA_PORT=str(self.data_port),
            FLOPS_LOCAL_RESTART_SECONDS="1",
            FLOPS_LOCAL_GRACE_SECONDS="2",
            FLOPS_LOCAL_REPORT_SECONDS="1",
            DOCKER_HOST=engine.variables.get("DOCKER_HOST", ""),
        )
        self.name = f"flops-{self.network.replace('.', '-')}"
        self.data_server = f"ml_data_server_{self.data_port}"

    def instances(self) -> list[str]:
        """Return the names of all containers but the data server."""
        return [name for name in self.engine.containers(self.name) if name != self.data_server]

    def inspect(self, container: str) -> dict:
        return json.loads(self.engine.call("inspect", container))[0]

    def clean_up(self) -> None:
        self.engine.call("volume", "rm", "--force", f"ml_data_server_volume_{self.data_port}")


@pytest.fixture(scope="module")
def world(engine: TestEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerWorld]:
    started = ContainerWorld(tmp_path_factory.mktemp("world"), engine)
    started.start()
    yield started
    started.end()
    started.clean_up()


@pytest.fixture(scope="module")
def client(world: ContainerWorld) -> Client:
    return Client(world)


@pytest.fixture
def run(client: Client) -> Iterator:
    """Run a shell script as a service that is deleted after the test."""

    def start(script: str, name: str = "svc", **fields: object) -> str:
        return client.run(SHELL, name, **{"cmd": ["/bin/sh", "-c", script], **fields})

    yield start
    for application in json.loads(client.request("GET", "/api/applications/").json()):
        client.request("DELETE", f"/api/application/{application['applicationID']}")
    until(lambda: not client.world.instances(), 20, "no container is left")


def ended(client: Client, service: str, status: str = "COMPLETED") -> dict:
    return client.until_status(service, status, 30)["instance_list"][0]


def answer_of(address: str, port: int) -> bytes:
    with socket.socket() as dialled:
        dialled.settimeout(2)
        try:
            dialled.connect((address, port))
            return dialled.recv(100)
        except OSError:
            return b""


def test_a_one_shot_is_completed_with_its_logs_and_leaves_nothing(world, client, run):
    instance = ended(client, run("echo hello; echo world >&2", one_shot=True))
    # Two streams come in no certain order.
    lines = set(instance["logs"].splitlines())

    assert (lines, instance["host_ip"]) == ({"hello", "world"}, f"{world.network}.0.1")
    until(lambda: not world.instances(), 10, "its container is gone")


def test_a_container_gets_the_slas_environment_and_its_data_server(world, client, run):
    environment = ["PEER=10.30.200.7:8080", "FLOPS_KEY=one\ntwo", "QUOTED='a b'"]

    instance = ended(client, run("env", one_shot=True, environment=environment))

    assert set(instance["logs"].splitlines()) - {"SHLVL=1", "HOME=/", "PWD=/"} == {
        f"PEER={world.network}.200.7:8080",
        *("FLOPS_KEY=one", "two", "QUOTED='a b'", "HOSTNAME=instance-0"),
        f"FLOPS_DATA_SERVER_ADDRESS={world.network}.0.1:{world.data_port}",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }


def test_without_a_command_that_of_the_image_runs(client, run):
    instance = ended(client, run("", cmd=[]), "DEAD")

    assert (instance["logs"], instance["status_detail"]) == ("nothing to do\n", "exit code 3")


def test_a_failing_one_shot_is_started_again(world, client, run):
    service = run("exit 7", one_shot=True)

    assert ended(client, service, "DEAD")["status_detail"] == "exit code 7"
    log = world.folder / "state" / "logs" / "appsvc.test.svc.test.0.log.previous"
    until(log.exists, 20, "there was a run before")


def test_a_container_is_reachable_at_its_service_address(client, run):
    server = run(SERVE, "server", addresses={"rr_ip": "10.30.200.9"})
    client.until_status(server, "RUNNING", 20)

    script = "until nc -w 2 ${PEER%:*} 8080 </dev/null; do sleep 1; done"
    instance = ended(client, run(script, "peer", one_shot=True, environment=["PEER=10.30.200.9:x"]))

    assert instance["logs"].endswith("hello\n")


def test_a_published_port_answers_at_the_public_address(client, run):
    service = run(SERVE, port="18080:8080", addresses={"rr_ip": "10.30.201.1"})

    public = ended(client, service, "RUNNING")["publicip"]

    until(lambda: answer_of(public, 18080) == b"hello\n", 20, "it answers")
    assert public == f"{client.world.network}.0.1"


def test_the_second_service_with_a_port_answers_at_its_own_address(client, run):
    first = run(SERVE, "first", port="8080")
    client.until_status(first, "RUNNING", 20)

    public = ended(client, run(SERVE, "second", port="8080"), "RUNNING")["publicip"]

    until(lambda: answer_of(public, 8080) == b"hello\n", 20, "it answers")
    assert public.startswith(f"{client.world.network}.64.")


def test_the_engine_enforces_limits(world, client, run):
    client.until_status(run(STAY, memory=64, vcpus=1), "RUNNING", 20)

    limits = world.inspect(world.instances()[0])["HostConfig"]
    assert (limits["Memory"], limits["NanoCpus"]) == (64 << 20, 10**9)


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(world, client, run):
    service = run("trap '' TERM; echo deaf; while :; do sleep 1; done")
    until(lambda: client.instance(service)["logs"] == "deaf\n", 20, "it is deaf")

    client.undeploy(service)

    until(lambda: not world.instances(), 15, "it is gone")


def test_the_successor_at_an_address_waits_for_its_predecessor(world, client, run):
    script = "trap '' TERM; echo up; while :; do sleep 1; done"
    service = run(script, port="18081", addresses={"rr_ip": "10.30.202.1"})
    until(lambda: client.instance(service)["logs"] == "up\n", 20, "the first is up")

    client.undeploy(service)
    client.deploy(service)

    until(lambda: client.instance(service)["logs"] == "up\n", 30, "the second is up")
    (name,) = world.instances()
    (network,) = world.inspect(name)["NetworkSettings"]["Networks"].values()
    assert (name[-2:], network["IPAddress"]) == (".1", f"{world.network}.202.1")


def test_a_removed_container_is_started_again(world, client, run):
    service = run(STAY)
    client.until_status(service, "RUNNING", 20)

    world.engine.call("rm", "--force", world.instances()[0])

    client.until_status(service, "DEAD", 20)
    client.until_status(service, "RUNNING", 20)


def test_a_missing_image_is_named(client, run):
    missing = "missing.invalid/nothing:1"

    service = run("", code=missing)

    detail = ended(client, service, "FAILED")["status_detail"]
    assert detail.startswith(f"image {missing} cannot be pulled: ")


def test_a_missing_program_is_named(client, run):
    service = run("", cmd=["/no/such/program"])

    assert "/no/such/program" in ended(client, service, "FAILED")["status_detail"]


def test_instances_reach_the_data_server_of_their_node(client, run):
    script = "nc -w 5 ${FLOPS_DATA_SERVER_ADDRESS%:*} ${FLOPS_DATA_SERVER_ADDRESS#*:} </dev/null"

    instance = ended(client, run(script, one_shot=True))

    assert instance["logs"] == "hello\n"


def test_the_data_server_is_restarted_with_its_data(world):
    until(lambda: world.data_server in world.engine.containers(world.name), 20, "it runs")

    world.engine.call("rm", "--force", world.data_server)

    cat = ("exec", world.data_server, "cat", "/ml_data_server_volume/file")
    until(lambda: "kept\nkept" in world.engine.output(*cat), 20, "it is back")
    ports = world.inspect(world.data_server)["HostConfig"]["PortBindings"]
    assert ports == {"11027/tcp": [{"HostIp": "", "HostPort": str(world.data_port)}]}


def test_a_signal_ends_all_containers_and_the_network(engine, tmp_path):
    world = ContainerWorld(tmp_path, engine)
    world.start()
    client = Client(world)
    client.until_status(client.run(SHELL, cmd=["/bin/sh", "-c", STAY]), "RUNNING", 20)

    code = world.end()

    world.clean_up()
    assert (code, engine.containers(world.name)) == (0, [])
    assert world.name not in engine.networks()


def test_leftovers_of_a_killed_world_are_removed_by_the_next(engine, tmp_path):
    world = ContainerWorld(tmp_path, engine)
    world.start()
    client = Client(world)
    client.until_status(client.run(SHELL, cmd=["/bin/sh", "-c", STAY]), "RUNNING", 20)
    world.end(9)
    (left,) = world.instances()

    world.start()

    until(lambda: left not in world.instances(), 10, "it is gone")
    world.end()
    world.clean_up()

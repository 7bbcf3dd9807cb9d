"""Services that run as processes, from the request to the end of the last process."""

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from flops_contracts.version import VERSION
from support.local_oakestra import Client, World, a_microservice
from support.waiting import until

STAY = "import signal; signal.pause()"
DEAF_FAMILY = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
command = [sys.executable, "-c", child, sys.argv[1]]
subprocess.Popen(command)
subprocess.Popen(command, start_new_session=True)
print("family is there", flush=True)
signal.pause()
"""


def test_a_successful_one_shot_is_completed_with_its_logs(world: World, client: Client):
    image = world.image(
        "hello", "import sys; print('hello', flush=True); print('world', file=sys.stderr)"
    )

    service = client.run(image, one_shot=True)

    document = client.until_status(service, "COMPLETED")
    assert document["instance_list"][0]["logs"] == "hello\nworld\n"


def test_a_running_instance_is_reported_with_its_addresses(world: World, client: Client):
    service = client.run(world.image("stay", STAY))

    instance = client.until_status(service, "RUNNING")["instance_list"][0]
    assert instance["publicip"].startswith(f"{world.network}.64.")
    assert instance["host_ip"] == f"{world.network}.1.1"
    assert instance["cluster_location"] == "east"


def test_the_environment_is_clean_and_translated(world: World, client: Client):
    image = world.image("env", "import os; [print(*i) for i in os.environ.items()]", OWN="bundle")

    service = client.run(
        image,
        one_shot=True,
        environment=["PEER=10.30.200.7:8080", "OWN=sla"],
        addresses={"rr_ip": "10.30.200.8"},
    )

    logs = client.until_status(service, "COMPLETED")["instance_list"][0]["logs"]
    lines = dict(line.split(" ", 1) for line in logs.splitlines())
    del lines["PATH"], lines["HOME"]
    for name in ("LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        lines.pop(name, None)
    assert lines == {
        "PEER": f"{world.network}.200.7:8080",
        "OWN": "sla",
        "HOSTNAME": "instance-0",
        "FLOPS_BIND_ADDRESS": f"{world.network}.200.8",
        "FLOPS_DATA_SERVER_ADDRESS": f"{world.network}.1.1:11027",
    }


def test_only_the_last_kilobyte_is_shown(world: World, client: Client):
    image = world.image("chatty", "print('x' * 5000 + 'end', end='')")

    service = client.run(image, one_shot=True)

    logs = client.until_status(service, "COMPLETED")["instance_list"][0]["logs"]
    assert logs == "x" * 1021 + "end"


def test_a_command_replaces_that_of_the_image(world: World, client: Client):
    image = world.image("stay", STAY)

    service = client.run(image, one_shot=True, cmd=["echo", "10.30.130.1"])

    logs = client.until_status(service, "COMPLETED")["instance_list"][0]["logs"]
    assert logs == f"{world.network}.130.1\n"


def test_a_failing_one_shot_is_started_again_until_it_is_deleted(world: World, client: Client):
    started = world.folder / "started"
    image = world.image("fail", f"open({str(started)!r}, 'a').write('x'); raise SystemExit(7)")

    service = client.run(image, one_shot=True)

    instance = client.until_status(service, "DEAD")["instance_list"][0]
    assert instance["status_detail"] == "exit code 7"
    until(lambda: len(started.read_text()) >= 3, 10, "it was started three times")
    assert client.request("DELETE", f"/api/service/{service}").json() == {"message": "Job deleted"}
    until(lambda: not world.left(), 10, "nothing of it is left")


def test_a_service_that_ends_is_dead_and_started_again(world: World, client: Client):
    service = client.run(world.image("short", "print('bye')"))

    client.until_status(service, "DEAD")
    client.until_status(service, "RUNNING")


def test_a_missing_image_fails_with_its_name(client: Client):
    service = client.run("nowhere.test/nothing:1")

    instance = client.until_status(service, "FAILED")["instance_list"][0]
    assert instance["status_detail"] == "image nowhere.test/nothing:1 is not in the image store"


def test_a_missing_program_is_named(world: World, client: Client):
    service = client.run(world.image_of("ghost", ["/no/such/program"]))

    instance = client.until_status(service, "FAILED")["instance_list"][0]
    assert instance["status_detail"] == "cannot run /no/such/program: No such file or directory"


def test_undeploying_kills_processes_that_ignore_sigterm(world: World, client: Client):
    service = client.run(world.image("deaf", DEAF_FAMILY))
    until(lambda: len(world.running()) == 3 and client.instance(service)["logs"], 10, "a family")

    client.undeploy(service)

    until(lambda: not world.left(), 10, "nobody is left")
    assert client.service(service)["instance_list"] == []


def test_children_of_an_ended_instance_are_killed(world: World, client: Client):
    code = (
        "import subprocess, sys; "
        f"subprocess.Popen([sys.executable, '-c', {STAY!r}, sys.argv[1]], start_new_session=True)"
    )

    service = client.run(world.image("litter", code), one_shot=True)

    client.until_status(service, "COMPLETED")
    assert world.left() == []


def test_the_successor_at_a_service_address_waits_for_its_predecessor(world: World, client: Client):
    code = (
        "import os, signal, socket; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "s = socket.create_server((os.environ['FLOPS_BIND_ADDRESS'], 8080), reuse_port=False); "
        "print('bound', flush=True); signal.pause()"
    )
    service = client.run(world.image("bind", code), addresses={"rr_ip": "10.30.140.1"})
    until(lambda: client.instance(service)["logs"] == "bound\n", 10, "the first is bound")

    client.undeploy(service)
    client.deploy(service)

    until(lambda: client.instance(service)["logs"] == "bound\n", 10, "the second is bound")
    assert client.instance(service)["publicip"] == f"{world.network}.140.1"


def test_a_direct_constraint_is_honoured(world: World, client: Client):
    constraint = {"type": "direct", "cluster": "west", "node": "w2"}

    service = client.run(world.image("stay", STAY), constraints=[constraint])

    instance = client.until_status(service, "RUNNING")["instance_list"][0]
    assert instance["host_ip"] == f"{world.network}.1.3"


def test_an_unknown_node_leaves_the_service_with_its_cluster(world: World, client: Client):
    constraint = {"type": "direct", "cluster": "west", "node": "w9"}

    service = client.run(world.image("stay", STAY), constraints=[constraint])

    instance = client.until_status(service, "CLUSTER_SCHEDULED")["instance_list"][0]
    assert set(instance) == {"instance_number", "cluster_id", "cluster_location", "status"}


def test_an_unknown_cluster_is_not_active(world: World, client: Client):
    constraint = {"type": "direct", "cluster": "north", "node": "n1"}

    service = client.run(world.image("stay", STAY), constraints=[constraint])

    document = client.until_status(service, "TargetClusterNotActive")
    assert document["instance_list"] == []


def test_capacity_can_be_exhausted_and_is_given_back(world: World, client: Client):
    big = client.run(world.image("stay", STAY), "big", vcpus=8)
    client.until_status(big, "RUNNING")

    second = client.run(world.image("stay", STAY), "second", vcpus=8)
    client.until_status(second, "NoActiveClusterWithCapacity")

    client.undeploy(big)
    until(lambda: not world.left(), 10, "the first is gone")
    client.deploy(second)
    client.until_status(second, "RUNNING")


def test_undeploying_all_skips_every_second_instance(world: World, client: Client):
    service = client.run(world.image("stay", STAY))
    client.deploy(service)
    client.deploy(service)
    until(lambda: len(world.running()) == 3, 10, "three instances run")

    client.undeploy(service, -1)

    numbers = [entry["instance_number"] for entry in client.service(service)["instance_list"]]
    assert numbers == [1]


def test_the_leftover_of_a_deleted_service_ends_with_the_next_report(world: World, client: Client):
    service = client.run(world.image("stay", STAY))
    client.deploy(service)
    until(lambda: len(world.running()) == 2, 10, "two instances run")

    client.request("DELETE", f"/api/service/{service}")

    until(lambda: not world.left(), 10, "the second one is gone, too")


def test_the_log_of_an_instance_is_bounded(tmp_path):
    world = World(tmp_path, FLOPS_LOCAL_LOG_BYTES="8192").start()
    try:
        client = Client(world)
        code = "[print(str(i) * 20) for i in range(5000)]; print('last')"
        service = client.run(world.image("flood", code), one_shot=True)

        instance = client.until_status(service, "COMPLETED")["instance_list"][0]
        assert instance["logs"].endswith("last\n")
        (log,) = (tmp_path / "state" / "logs").iterdir()
        assert log.stat().st_size <= 8192
    finally:
        world.end()


def test_local_oakestra_gets_no_zombies_of_instances(world: World, client: Client):
    service = client.run(world.image("stay", STAY))
    client.until_status(service, "RUNNING")
    before = psutil.Process(world.process.pid).children()

    client.undeploy(service)

    until(lambda: not world.left(), 10, "the instance is gone")
    gone = until(lambda: [child for child in before if not child.is_running()], 5, "no zombie")
    assert gone


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_ends_local_oakestra_with_all_instances(own_world: World, number: int):
    client = Client(own_world)
    service = client.run(own_world.image("deaf", DEAF_FAMILY))
    until(lambda: len(own_world.running()) == 3 and client.instance(service)["logs"], 10, "family")

    code = own_world.end(number)

    assert (code, own_world.left()) == (0, [])


def test_killing_local_oakestra_leaves_no_process(own_world: World):
    client = Client(own_world)
    service = client.run(own_world.image("deaf", DEAF_FAMILY))
    until(lambda: len(own_world.running()) == 3 and client.instance(service)["logs"], 10, "family")

    own_world.end(9)

    until(lambda: not own_world.left(), 10, "the shim has ended them")


def test_killing_a_shim_kills_its_instance(world: World, client: Client):
    service = client.run(world.image("stay", STAY))
    client.until_status(service, "RUNNING")
    (first,) = world.running()
    (shim,) = world.shims()

    shim.kill()

    until(lambda: client.instance(service)["status"] == "DEAD" or not first.is_running())
    client.until_status(service, "RUNNING")


def test_every_learner_node_has_a_data_server_that_is_restarted(tmp_path):
    world = World(tmp_path)
    world.image("ml-data-server", f"import os; print(dict(os.environ), flush=True); {STAY}")
    world.start()
    try:
        (server,) = until(world.running, 10, "the data server runs")
        environment = server.environ()
        assert environment["FLOPS_BIND_ADDRESS"] == f"{world.network}.1.1"
        volume = tmp_path / "state" / "nodes" / "local" / "node-1" / "ml_data_server_volume"
        assert environment["FLOPS_DATA_VOLUME"] == str(volume)

        server.kill()

        until(lambda: [p for p in world.running() if p != server], 10, "another one runs")
        assert "exit code 137 (SIGKILL)" in world.log()
    finally:
        world.end()


def test_a_missing_image_of_the_data_server_is_logged(world: World):
    assert f"no data servers: image images.test/ml-data-server:{VERSION} is not" in world.log()


def test_many_clients_at_once_get_an_instance_each(world: World, client: Client):
    image = world.image("stay", STAY)
    application = client.create_application("many")
    names = [f"svc{number}" for number in range(8)]

    def deploy(name: str) -> str:
        own = Client(world)
        service = own.create_services(application, a_microservice(name, image))["job_id"]
        own.deploy(service)
        return own.until_status(service, "RUNNING", 20)["instance_list"][0]["publicip"]

    with ThreadPoolExecutor(8) as pool:
        addresses = list(pool.map(deploy, names))

    assert len(set(addresses)) == 8

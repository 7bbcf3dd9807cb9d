"""The engine's command lines, word for word."""

import json
from pathlib import Path

import pytest

from flops_local_oakestra.adapters.engine_commands import (
    ContainerOptions,
    EngineWorld,
    FoundNetwork,
    check_reference,
    create_network_command,
    find_command,
    read_network,
    run_command,
    split_environment,
)
from flops_local_oakestra.domain.addresses import WorldNetwork
from flops_local_oakestra.domain.published import PublishedPort
from flops_local_oakestra.domain.topology import read_topology
from flops_local_oakestra.ports.runtime import CannotStartError, Workload
from flops_local_oakestra.usecases.data_servers import as_container

WORLD = EngineWorld("10.30")
NODE = {"name": "n1", "vcpus": 4, "memory_mb": 4000}


def run(workload: Workload, options: ContainerOptions | None = None, **more: object) -> list[str]:
    return run_command("docker", WORLD, workload, options or ContainerOptions(), **more)


def after(argv: list[str], option: str) -> list[str]:
    """Return the argument of each ``option``."""
    return [argv[at + 1] for at, word in enumerate(argv) if word == option]


def test_an_instance_is_started_with_a_single_call():
    workload = Workload("app.ns.svc.ns.0", "registry.test/image:1", "10.30.200.1")

    assert run(workload) == [
        *("run", "--detach", "--pull", "never", "--name", "flops-10-30.app.ns.svc.ns.0"),
        *("--label", "flops.world=flops-10-30"),
        *("--label", "flops.job=app.ns.svc.ns", "--label", "flops.instance=0"),
        *("--no-healthcheck", "--stop-signal", "SIGTERM", "--log-driver", "json-file"),
        *("--log-opt", "max-size=4194304", "--log-opt", "max-file=2"),
        *("--network", "flops-10-30", "--ip", "10.30.200.1"),
        "registry.test/image:1",
    ]


def test_a_command_replaces_that_of_the_image():
    argv = run(Workload("a.0", "image", "10.30.64.1", command=("sh", "-c", "true")))

    assert argv[-5:] == ["--entrypoint", "sh", "image", "-c", "true"]


def test_limits_are_those_of_the_sla():
    argv = run(Workload("a.0", "image", memory_mb=300, vcpus=1), ContainerOptions(cores=2))

    assert (after(argv, "--memory"), after(argv, "--cpus")) == (["300m"], ["1"])


def test_the_limit_of_cores_is_that_of_the_machine():
    argv = run(Workload("a.0", "image", vcpus=64), ContainerOptions(cores=2))

    assert after(argv, "--cpus") == ["2"]


def test_limits_can_be_switched_off():
    argv = run(Workload("a.0", "image", memory_mb=300, vcpus=1), ContainerOptions(has_limits=False))

    assert {"--memory", "--cpus"}.isdisjoint(argv)


def test_ports_are_published_at_their_address():
    ports = (
        PublishedPort("10.30.0.1", 8080, 80),
        PublishedPort("", 53, 53, "udp"),
    )

    argv = run(Workload("a.0", "image", "10.30.64.1", ports=ports))

    assert after(argv, "-p") == ["10.30.0.1:8080:80", "53:53/udp"]


def test_privileged_containers_get_only_fuse():
    argv = run(Workload("a.0", "image", has_fuse=True))

    assert after(argv, "--device") == ["/dev/fuse"]
    assert {"--privileged", "--cap-add"}.isdisjoint(argv)


def test_security_options_come_from_the_settings():
    argv = run(Workload("a.0", "image"), ContainerOptions(security_options=("seccomp=x", "b=y")))

    assert after(argv, "--security-opt") == ["seccomp=x", "b=y"]


def test_variables_are_passed_by_file_and_by_name():
    argv = run(Workload("a.0", "image"), env_file=Path("/tmp/file"), inherited=("FLOPS_KEY",))

    assert (after(argv, "--env-file"), after(argv, "--env")) == (["/tmp/file"], ["FLOPS_KEY"])


def test_the_first_data_server_has_the_command_line_of_the_node_engine():
    (cluster,) = read_topology([{"cluster": "c", "nodes": [NODE]}], WorldNetwork("10.30", True))

    argv = run(as_container("data-server")(cluster.nodes[0]))

    assert after(argv, "-p") == ["11027:11027"]
    assert after(argv, "-v") == ["ml_data_server_volume:/ml_data_server_volume"]
    assert after(argv, "--name") == ["ml_data_server"]
    assert argv[-1] == "data-server"
    assert {"--network", "--env-file", "--env", "--ip"}.isdisjoint(argv)


def test_further_data_servers_have_their_own_ports_names_and_volumes():
    nodes = [NODE, {**NODE, "name": "n2", "addons": []}, {**NODE, "name": "n3"}]
    (cluster,) = read_topology([{"cluster": "c", "nodes": nodes}], WorldNetwork("10.30", True))

    argv = run(as_container("data-server")(cluster.nodes[2]))

    assert cluster.nodes[2].data_server == "10.30.0.1:11037"
    assert after(argv, "-p") == ["11037:11027"]
    assert after(argv, "-v") == ["ml_data_server_volume_11037:/ml_data_server_volume"]
    assert after(argv, "--name") == ["ml_data_server_11037"]


def test_names_contain_only_valid_characters():
    argv = run(Workload("ml.my node/ä.0", "image"))

    assert after(argv, "--name") == ["flops-10-30.ml.my-node-.0"]


def test_podman_writes_logs_to_a_single_file():
    argv = run_command("podman", WORLD, Workload("a.0", "image"), ContainerOptions(log_bytes=4096))

    assert after(argv, "--log-opt") == ["max-size=4096"]


def test_the_network_contains_every_service_address():
    argv = create_network_command(WORLD)

    assert after(argv, "--subnet") == ["10.30.0.0/16"]
    assert after(argv, "--gateway") == ["10.30.0.1"]
    assert argv[-1] == "flops-10-30"


def test_containers_are_found_by_their_labels():
    assert after(find_command(WORLD), "--filter") == ["label=flops.world=flops-10-30"]
    assert after(find_command(WORLD, Workload("a.b.3", "image")), "--filter") == [
        "label=flops.world=flops-10-30",
        "label=flops.job=a.b",
        "label=flops.instance=3",
    ]


DOCKERS = [{"IPAM": {"Config": [{"Subnet": "10.30.0.0/16"}]}, "Labels": {"flops.world": "w"}}]
PODMANS = [{"subnets": [{"subnet": "10.30.0.0/16", "gateway": "10.30.0.1"}], "labels": {}}]


@pytest.mark.parametrize(
    ("document", "network"),
    [
        (DOCKERS, FoundNetwork(("10.30.0.0/16",), (), "w")),
        (PODMANS, FoundNetwork(("10.30.0.0/16",), ("10.30.0.1",), "")),
    ],
)
def test_networks_of_both_engines_are_read(document, network):
    assert read_network(json.dumps(document)) == network


def test_most_variables_are_lines():
    split = split_environment({"A": " x=y #z ", "B": ""})

    assert (split.lines, split.inherited) == (("A= x=y #z ", "B="), {})


def test_a_line_break_is_inherited():
    split = split_environment({"FLOPS_KEY": "one\ntwo"})

    assert (split.lines, split.inherited) == ((), {"FLOPS_KEY": "one\ntwo"})


@pytest.mark.parametrize("name", ["PATH", "DOCKER_HOST", "LD_PRELOAD"])
def test_no_variable_changes_the_call_itself(name: str):
    with pytest.raises(CannotStartError, match=name):
        split_environment({name: "one\ntwo"})


@pytest.mark.parametrize("name", ["", "#A", "A B", "A\nB"])
def test_invalid_names_of_variables_are_refused(name: str):
    with pytest.raises(CannotStartError, match="not a valid name"):
        split_environment({name: "x"})


@pytest.mark.parametrize("image", ["--privileged", "", "a b", "-v/:/host"])
def test_an_image_is_never_taken_for_an_option(image: str):
    with pytest.raises(CannotStartError, match="not an image reference"):
        check_reference(image)

"""The settings and their errors."""

import json

import pytest

from flops_contracts.version import VERSION
from flops_local_oakestra.domain.statuses import Scheduler
from flops_local_oakestra.domain.users import ROLES, Credentials
from flops_local_oakestra.settings import Settings
from flops_runtime.environment import BadSettingsError, read


def settings(**variables: str) -> Settings:
    return read(Settings, variables)


def test_no_setting_is_required():
    read = settings()

    assert (read.address, read.port, read.key_port) == ("127.30.0.1", 10000, 10011)
    assert [cluster.name for cluster in read.clusters] == ["local"]
    assert read.users == (Credentials("Admin", "Admin", ROLES),)
    assert read.data_server_image == f"ghcr.io/oakestra/addon-flops/ml-data-server:{VERSION}"


def test_all_addresses_follow_the_network():
    read = settings(FLOPS_LOCAL_NETWORK="127.99")

    assert read.address == "127.99.0.1"
    assert read.clusters[0].nodes[0].address == "127.99.1.1"


def test_containers_have_the_real_addresses():
    read = settings(FLOPS_LOCAL_RUNTIME="containers")

    assert (read.address, read.clusters[0].address) == ("10.30.0.1", "10.30.0.1")
    assert read.clusters[0].nodes[0].data_server == "10.30.0.1:11027"
    assert read.containers.engines == ("docker", "podman")
    assert read.containers.publish_address == "10.30.0.1"


def test_containers_inherit_only_named_variables():
    read = settings(FLOPS_LOCAL_RUNTIME="containers", FLOPS_LOCAL_PASS_ENVIRONMENT="PIP_INDEX_URL")

    assert read.passed == ("PIP_INDEX_URL",)


def test_listening_on_all_addresses_is_announced_with_a_reachable_address():
    read = settings(
        FLOPS_LOCAL_RUNTIME="containers",
        FLOPS_LOCAL_ADDRESS="0.0.0.0",
        FLOPS_LOCAL_PUBLISH_ADDRESS="0.0.0.0",
    )

    (cluster,) = read.clusters
    assert (cluster.address, read.resource_address(cluster)) == ("10.30.0.1", "0.0.0.0")
    assert read.containers.public_address == "10.30.0.1"


def test_a_single_address_of_the_machine_is_used_everywhere():
    read = settings(
        FLOPS_LOCAL_RUNTIME="containers",
        FLOPS_LOCAL_ADDRESS="0.0.0.0",
        FLOPS_LOCAL_PUBLISH_ADDRESS="172.17.0.1",
    )

    (cluster,) = read.clusters
    assert (cluster.address, cluster.nodes[0].address) == ("172.17.0.1", "172.17.0.1")
    assert cluster.nodes[0].data_server == "172.17.0.1:11027"
    assert read.containers.public_address == "172.17.0.1"


def test_several_clusters_of_containers_need_an_address_each():
    node = {"name": "n", "vcpus": 1, "memory_mb": 1}
    topology = json.dumps([{"cluster": name, "nodes": [node]} for name in ("east", "west")])
    variables = {"FLOPS_LOCAL_RUNTIME": "containers", "FLOPS_LOCAL_TOPOLOGY": topology}

    read = settings(**variables, FLOPS_LOCAL_CLUSTER_ADDRESSES="10.30.0.1,127.0.0.2")

    assert [cluster.address for cluster in read.clusters] == ["10.30.0.1", "127.0.0.2"]
    with pytest.raises(BadSettingsError, match="FLOPS_LOCAL_CLUSTER_ADDRESSES"):
        settings(**variables)


def test_containers_cannot_be_on_the_loopback():
    with pytest.raises(BadSettingsError, match="FLOPS_LOCAL_NETWORK"):
        settings(FLOPS_LOCAL_RUNTIME="containers", FLOPS_LOCAL_NETWORK="127.30")


def test_users_can_be_added_and_admin_changed():
    users = [{"name": "ada", "password": "x"}, {"name": "Admin", "password": "y", "roles": []}]

    read = settings(FLOPS_LOCAL_USERS=json.dumps(users))

    assert read.users == (
        Credentials("ada", "x", ("Application_Provider",)),
        Credentials("Admin", "y", ()),
    )


def test_passwords_are_not_shown():
    read = settings(FLOPS_LOCAL_USERS='[{"name": "ada", "password": "secret"}]')

    assert "secret" not in repr(read)
    assert "secret" not in repr(read.users)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLOPS_LOCAL_NETWORK", "10.30"),
        ("FLOPS_LOCAL_NETWORK", "127.300"),
        ("FLOPS_LOCAL_PORT", "0"),
        ("FLOPS_LOCAL_RUNTIME", "unikernels"),
        ("FLOPS_LOCAL_ENGINE", "other"),
        ("FLOPS_LOCAL_DATA_PORT", "0"),
        ("FLOPS_LOCAL_RESTART_SECONDS", "-1"),
        ("FLOPS_LOCAL_CONSTRAINTS", "some"),
        ("FLOPS_LOCAL_TOPOLOGY", "no json"),
        ("FLOPS_LOCAL_TOPOLOGY", '[{"cluster": "a"}]'),
        ("FLOPS_LOCAL_USERS", "{}"),
        ("FLOPS_LOCAL_USERS", '[{"name": "ada"}]'),
        ("FLOPS_LOCAL_USERS", '[{"name": "ada", "password": "x", "roles": ["King"]}]'),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str):
    with pytest.raises(BadSettingsError, match=name):
        settings(**{name: value})


def test_the_error_of_an_unknown_scheduler_lists_the_valid_ones():
    with pytest.raises(BadSettingsError, match="works, silent, TargetClusterNotActive"):
        settings(FLOPS_LOCAL_SCHEDULER="by dice")


def test_a_root_of_2024_and_a_broken_scheduler_can_be_set():
    read = settings(FLOPS_LOCAL_CONSTRAINTS="all", FLOPS_LOCAL_SCHEDULER="silent")

    assert (read.is_old, read.scheduler) == (True, Scheduler.SILENT)


@pytest.mark.parametrize("text", ['{"image": "x"}', '{"image": {"NAME": 3}}', "[1]"])
def test_variables_of_images_are_texts_by_name(text):
    with pytest.raises(BadSettingsError, match="FLOPS_LOCAL_IMAGE_ENVIRONMENTS"):
        settings(FLOPS_LOCAL_IMAGE_ENVIRONMENTS=text)


def test_variables_of_images_are_not_dropped_silently_with_containers():
    with pytest.raises(BadSettingsError, match="is for processes"):
        settings(
            FLOPS_LOCAL_RUNTIME="containers",
            FLOPS_LOCAL_IMAGE_ENVIRONMENTS='{"image": {"NAME": "text"}}',
        )

"""Information about the root and its clusters."""

import pytest
import requests

from support.local_oakestra import TIMEOUT, Client, World, answer, error


def test_active_clusters_need_no_token_and_are_labelled_as_html(world: World):
    response = requests.get(f"{world.url}/api/clusters/active", timeout=TIMEOUT)

    assert response.headers["Content-Type"].startswith("text/html")
    east, west = response.json()
    assert (east["candidate_name"], east["active_nodes"], east["vcpus"]) == ("east", 1, 4)
    assert west["supported_addons"] == ["FLOps-learner", "image-builder", "image-builder"]
    assert west["ip"] == f"{world.network}.0.12"


def test_a_cluster_lists_its_workers_with_addons_and_free_resources(world: World, client: Client):
    direct = {"type": "direct", "cluster": "west", "node": "w2"}
    image = world.image("stay", "import signal; signal.pause()")
    service = client.run(image, vcpus=3, memory=1000, constraints=[direct])
    client.until_status(service, "RUNNING")

    url = f"http://{world.network}.0.12:11012/api/v1/resources/"
    workers = requests.get(url, params={"active": "true"}, timeout=TIMEOUT).json()

    assert [worker["candidate_name"] for worker in workers] == ["w1", "w2"]
    w2 = workers[1]
    assert w2["supported_addons"] == ["image-builder"]
    assert w2["ip"] == f"{world.network}.1.3"
    assert (w2["vcpus"], w2["available_vcpus"]) == (8, 5)
    assert (w2["memory"], w2["available_memory"], w2["total_memory"]) == (7000, 7000, 8000)


def test_health_ready_and_metrics_answer(world: World):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert requests.get(world.url + path, timeout=TIMEOUT).status_code == 200


def test_an_unknown_path_has_the_shape_of_all_errors(client: Client):
    assert answer(client.request("GET", "/api/nothing")) == error(404, "Not Found")


def test_a_root_of_2024_has_no_csi_drivers_and_its_clusters_list_no_workers(tmp_path):
    world = World(tmp_path, FLOPS_LOCAL_CONSTRAINTS="all").start()
    try:
        (cluster,) = requests.get(f"{world.url}/api/clusters/active", timeout=TIMEOUT).json()

        assert "csi_drivers" not in cluster
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{cluster['ip']}:11012/api/v1/resources/", timeout=TIMEOUT)
    finally:
        world.end()

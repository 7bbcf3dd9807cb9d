"""A registry that refuses, breaks or is away: the builder's errors, and what it leaves there."""

import json
from concurrent.futures import ThreadPoolExecutor, wait
from hashlib import sha256
from urllib.parse import quote

import pytest

from flops_image_builder.adapters.assembly import Assembly
from flops_image_builder.adapters.distribution import Distribution, Place
from flops_image_builder.adapters.refusals import Patience
from flops_image_builder.adapters.registry import Registry, RegistrySettings, RemoteImage
from flops_image_builder.domain.errors import ImageStoreError
from flops_image_builder.domain.recipes import Recipe
from support.broker import free_port
from support.hostile_registry import CUT, Answer, HostileRegistry

AMD64, ARM64 = "linux/amd64", "linux/arm64"
BELOW = f"sha256:{sha256(b'abc').hexdigest()}"
BLOB = {"Location": "/v2/o/r/learner/blobs/uploads/1"}


@pytest.fixture
def hostile():
    with HostileRegistry().running() as registry:
        yield registry


def a_registry(address, logins=None, seconds=0.0):
    patience = Patience(seconds, first_pause_seconds=0.01)
    distribution = Distribution(logins or {}, frozenset({address}), patience)
    return Registry(distribution, RegistrySettings(name=address, tls=False))


def push(hostile, folder, platforms=(AMD64,)):
    """Push an image of one layer of code on an image of one layer."""
    registry = a_registry(hostile.address)
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"diff_ids": ["a"]}}
    layer = {"mediaType": "t", "size": 3, "digest": BELOW}
    below = RemoteImage(Place(hostile.address, "flops/dependencies"), {"layers": [layer]}, config)
    reference = f"{hostile.address}/o/r/learner:t"
    assembly = Assembly(registry, folder)
    images = [
        assembly.assemble(
            Recipe(reference, platform, "", files={"a.txt": platform}, root="/flops"), below
        )
        for platform in platforms
    ]
    assembly.push(reference, images)


def accept_all(hostile):
    hostile.on("POST /blobs/uploads/?mount=", Answer(201))
    hostile.on("POST /blobs/uploads/", Answer(202, headers=BLOB))
    hostile.on("PUT /blobs/uploads/1", Answer(201))
    hostile.on("PUT /manifests/", Answer(201))


def test_an_unknown_manifest_means_no_image(hostile):
    registry = a_registry(hostile.address)

    assert not registry.has(f"{hostile.address}/o/r/learner:t")
    assert len(hostile.calls) == 1


def test_a_refusal_does_not_mean_that_the_image_is_missing(hostile):
    hostile.on("GET /manifests/t", Answer(401, "authentication required"))

    with pytest.raises(ImageStoreError) as caught:
        a_registry(hostile.address).has(f"{hostile.address}/o/r/learner:t")

    assert "user, password and authfile" in caught.value.hint
    assert len(hostile.calls) == 1


def test_a_registry_that_is_broken_for_a_moment_costs_nothing(hostile):
    hostile.on("GET /manifests/t", Answer(503), CUT, Answer(200, "{}"))

    assert a_registry(hostile.address).has(f"{hostile.address}/o/r/learner:t")


def test_a_registry_that_stays_broken_is_asked_three_times(hostile):
    hostile.on("GET /manifests/t", Answer(503, "upstream is away"))

    with pytest.raises(ImageStoreError, match="upstream is away"):
        a_registry(hostile.address).has(f"{hostile.address}/o/r/learner:t")

    assert len(hostile.calls) == 3


def test_a_registry_that_comes_back_in_time_is_asked_until_it_does():
    port = free_port()
    address = f"127.0.0.1:{port}"

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(a_registry(address, seconds=60).has, f"{address}/o/r/learner:t")
        assert not wait([answer], timeout=0.5).done
        comes_back = HostileRegistry(port)
        comes_back.on("GET /manifests/t", Answer(200, "{}"))
        with comes_back.running():
            assert answer.result(300)


def test_a_registry_that_is_away_is_reported():
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(ImageStoreError, match="refused") as caught:
        a_registry(address).has(f"{address}/o/r/learner:t")

    assert "Check that the image registry runs" in caught.value.hint


def test_a_token_is_asked_for_where_the_registry_says(hostile):
    realm = f'Bearer realm="http://{hostile.address}/token",service="s",scope="repository:o/r:pull"'
    hostile.on("GET /token", Answer(200, json.dumps({"token": "abc"})))
    hostile.on(
        "GET /manifests/t", Answer(401, headers={"WWW-Authenticate": realm}), Answer(200, "{}")
    )

    assert a_registry(hostile.address, {hostile.address: "dTpw"}).has(f"{hostile.address}/o/r:t")
    assert hostile.logins == ["Basic dTpw", "Basic dTpw", "Bearer abc"]


def test_a_push_ends_with_the_tag(hostile, tmp_path):
    accept_all(hostile)

    push(hostile, tmp_path, (AMD64, ARM64))

    stored = [call for call in hostile.calls if "/manifests/" in call]
    assert len(stored) == 3
    assert stored[-1] == hostile.calls[-1] == "PUT /v2/o/r/learner/manifests/t"


def test_layers_that_lie_in_another_repository_are_not_sent(hostile, tmp_path):
    accept_all(hostile)

    push(hostile, tmp_path)

    assert hostile.count(f"POST mount={quote(BELOW)}&from=flops%2Fdependencies") == 1
    assert hostile.count(f"GET /blobs/{BELOW}") == 0


def test_a_registry_that_mounts_nothing_is_sent_the_layers(hostile, tmp_path):
    accept_all(hostile)
    hostile.on("POST /blobs/uploads/?mount=", Answer(202, headers=BLOB))
    hostile.on(f"GET /flops/dependencies/blobs/{BELOW}", Answer(200, "abc"))

    push(hostile, tmp_path)

    assert hostile.count(f"PUT /blobs/uploads/1?digest={quote(BELOW)}") == 1


def test_a_layer_that_comes_in_part_is_fetched_again(hostile, tmp_path):
    accept_all(hostile)
    hostile.on("POST /blobs/uploads/?mount=", Answer(202, headers=BLOB))
    torn, other = Answer(200, "ab", missing=1), Answer(200, "abd")
    hostile.on(f"GET /flops/dependencies/blobs/{BELOW}", torn, other, Answer(200, "abc"))

    push(hostile, tmp_path)

    assert hostile.count(f"GET /blobs/{BELOW}") == 3
    assert hostile.count(f"PUT /blobs/uploads/1?digest={quote(BELOW)}") == 1


def test_a_layer_that_never_comes_whole_is_reported(hostile, tmp_path):
    accept_all(hostile)
    hostile.on("POST /blobs/uploads/?mount=", Answer(202, headers=BLOB))
    hostile.on(f"GET /flops/dependencies/blobs/{BELOW}", Answer(200, "ab", missing=1))

    with pytest.raises(ImageStoreError, match="downloading a layer of"):
        push(hostile, tmp_path)

    assert hostile.count("PUT /manifests/") == 0


def test_a_push_that_breaks_half_way_leaves_no_manifest(hostile, tmp_path):
    accept_all(hostile)
    hostile.on("PUT /blobs/uploads/1", Answer(201), CUT)

    with pytest.raises(ImageStoreError, match="pushing a layer"):
        push(hostile, tmp_path)

    assert hostile.count("PUT /manifests/") == 0
    assert hostile.count("PUT /blobs/uploads/1") == 1 + 3


def test_a_push_that_breaks_between_platforms_leaves_no_tag(hostile, tmp_path):
    accept_all(hostile)
    hostile.on("PUT /manifests/sha256", Answer(201), Answer(500))

    with pytest.raises(ImageStoreError):
        push(hostile, tmp_path, (AMD64, ARM64))

    assert hostile.count("PUT /manifests/t") == 0


def test_a_registry_whose_disk_is_full_is_reported_with_the_way_out(hostile, tmp_path):
    accept_all(hostile)
    hostile.on("PUT /blobs/uploads/1", Answer(500, "write: no space left on device"))

    with pytest.raises(ImageStoreError, match="no space left") as caught:
        push(hostile, tmp_path)

    assert caught.value.hint.startswith("Free space")

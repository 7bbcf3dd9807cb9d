"""The manager's knowledge of built images: from a registry's API, and from an image store."""

import json
from pathlib import Path

import pytest

from flops_contracts.build_records import LABEL, actors_note, text_from_result
from flops_contracts.bundles import Bundle, write_bundle
from flops_contracts.events import ActorImages, ActorsBuilt, Kind
from flops_manager.adapters.images import RegistryAddress, RegistryImages, StoredImages
from support.broker import free_port
from support.hostile_registry import CUT, Answer, HostileRegistry

NOTE = actors_note("0123456789ab")
RESULT = ActorsBuilt(
    ActorImages("reg:1/o/r/learner:t", "reg:1/o/r/aggregator:t"), "c0", "3.11", "l"
)
TEXT = text_from_result(Kind.ACTORS_BUILT, RESULT)


@pytest.fixture
def registry():
    with HostileRegistry().running() as hostile:
        manifest = json.dumps({"config": {"digest": "sha256:c"}})
        config = json.dumps({"config": {"Labels": {LABEL: TEXT}}})
        hostile.on(f"GET /flops/builds/manifests/{NOTE}", Answer(200, manifest))
        hostile.on("GET /flops/builds/blobs/sha256:c", Answer(200, config))
        hostile.on("GET /o/r/learner/manifests/t", Answer(200, "{}"))
        hostile.on("GET /o/r/aggregator/manifests/t", Answer(200, "{}"))
        yield hostile


def images(registry, **more):
    return RegistryImages(RegistryAddress(registry.address, has_tls=False, **more))


def test_what_a_builder_noted_is_found(registry):
    assert images(registry).built(NOTE) == RESULT


def test_a_note_whose_images_are_gone_counts_for_nothing(registry):
    registry.on("GET /o/r/learner/manifests/t", Answer(404))

    assert images(registry).built(NOTE) is None


def test_without_a_note_nothing_else_is_asked(registry):
    assert images(registry).built("ba9876543210-actors") is None
    assert len(registry.calls) == 1


def test_the_account_is_shown(registry):
    images(registry, user="flops", password="secret").built(NOTE)

    assert set(registry.logins) == {"Basic ZmxvcHM6c2VjcmV0"}


@pytest.mark.parametrize("answer", [Answer(401), Answer(503), Answer(200, "no JSON"), CUT])
def test_a_registry_that_gives_no_answer_means_that_images_are_built(registry, answer):
    registry.on(f"GET /flops/builds/manifests/{NOTE}", answer)

    assert images(registry).built(NOTE) is None


def test_a_registry_that_is_away_means_that_images_are_built():
    away = RegistryAddress(f"127.0.0.1:{free_port()}", has_tls=False)

    assert RegistryImages(away).built(NOTE) is None


def test_a_registry_is_spoken_to_by_tls_unless_told_otherwise(registry):
    assert RegistryImages(RegistryAddress(registry.address)).built(NOTE) is None
    assert registry.calls == []


@pytest.fixture
def store(tmp_path):
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds" / NOTE).write_text(TEXT)
    return tmp_path


def put(store, reference, program):
    write_bundle(store, Bundle(reference, (str(program),)))


def test_an_image_store_says_what_was_built(store):
    put(store, RESULT.images.learner, Path(__file__))
    put(store, RESULT.images.aggregator, Path(__file__))

    assert StoredImages(store).built(NOTE) == RESULT


def test_an_image_whose_environment_is_gone_counts_for_nothing(store):
    put(store, RESULT.images.learner, Path(__file__))
    put(store, RESULT.images.aggregator, store / "gone")

    assert StoredImages(store).built(NOTE) is None


def test_a_note_that_nobody_can_read_counts_for_nothing(store):
    (store / "builds" / NOTE).write_text("half a no")

    assert StoredImages(store).built(NOTE) is None

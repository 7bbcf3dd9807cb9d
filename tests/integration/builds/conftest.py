"""One image store for all builds of a session, over the environments of the checkout."""

import os
from pathlib import Path

import pytest

from flops_cli.local.places import find_places
from flops_image_builder.bootstrap import work
from flops_image_builder.settings import Settings
from flops_runtime.environment import read
from support.builds import Reports, register_base


class Builder:
    """Builds with the real git and the real uv into a store of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.store = folder / "store"
        self.store.mkdir()
        # Environments are the checkout's: the same as those of the end-to-end tests, made once.
        environments = find_places(None, None, Path(__file__)).images / "envs"
        environments.mkdir(parents=True, exist_ok=True)
        (self.store / "envs").symlink_to(environments)
        for service in ("learner", "aggregator", "model-server"):
            register_base(self.store, folder, service)

    def environment(self, **order):
        return {
            "FLOPS_INSTANCE": "bldx1",
            "FLOPS_PROJECT_ID": "0123456789ab",
            "FLOPS_STAGE": "building_actors",
            "FLOPS_MQTT_URL": "mqtt://127.0.0.1:9",
            "FLOPS_IMAGE_ENGINE": "bundles",
            "FLOPS_IMAGE_STORE": str(self.store),
            "FLOPS_IMAGE_REGISTRY": "127.30.0.1:5073",
            "FLOPS_ML_MODEL_FLAVOR": "sklearn",
            **order,
        }

    def actors(self, url, **order):
        """Build the actors of a repository; return the result and the reports."""
        return self._build(FLOPS_BUILD="actors", FLOPS_ML_REPO_URL=url, **order)

    def model(self, **order):
        return self._build(FLOPS_BUILD="model", **order)

    def manifests(self):
        """Return the manifests of all images."""
        return list((self.store / "bundles").rglob("bundle.json"))

    def _build(self, **order):
        reports = Reports()
        settings = read(Settings, self.environment(**order))
        return work(settings, os.environ)(reports)[1], reports


@pytest.fixture(scope="session")
def builder(tmp_path_factory):
    return Builder(tmp_path_factory.mktemp("builds"))

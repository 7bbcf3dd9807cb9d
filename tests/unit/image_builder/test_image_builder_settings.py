from pathlib import Path

import pytest

from flops_contracts.version import VERSION
from flops_image_builder.settings import Settings
from flops_runtime.environment import BadSettingsError, read

ACTOR = {
    "FLOPS_INSTANCE": "bldx1",
    "FLOPS_PROJECT_ID": "0123456789ab",
    "FLOPS_STAGE": "building_actors",
    "FLOPS_MQTT_URL": "mqtt://127.0.0.1:9027",
    "FLOPS_IMAGE_STORE": "/var/lib/images",
    "FLOPS_IMAGE_REGISTRY": "reg:5073",
    "FLOPS_ML_MODEL_FLAVOR": "sklearn",
}
ACTORS = {**ACTOR, "FLOPS_BUILD": "actors", "FLOPS_ML_REPO_URL": "https://h.example/o/r"}
MODEL = {
    **ACTOR,
    "FLOPS_BUILD": "model",
    "FLOPS_MLFLOW_URL": "http://127.0.0.1:7027",
    "FLOPS_MODEL_URI": "models:/m/1",
    "FLOPS_RUN_ID": "0f3a",
    "FLOPS_CUSTOMER": "Admin",
    "FLOPS_ACTORS_IMAGE": "reg:5073/o/r/aggregator:t",
}


def test_an_order_for_actors_names_its_bases():
    order = read(Settings, ACTORS).actors

    assert order is not None
    assert order.learner_base == f"ghcr.io/oakestra/addon-flops/learner:{VERSION}"
    assert order.platforms == ("linux/amd64",)


def test_an_order_for_a_model_has_no_order_for_actors():
    settings = read(Settings, MODEL)

    assert settings.actors is None
    assert settings.model is not None
    assert settings.model.server_base == f"ghcr.io/oakestra/addon-flops/model-server:{VERSION}"


def test_everything_that_is_missing_is_named_at_once():
    with pytest.raises(BadSettingsError) as caught:
        read(Settings, {**ACTOR, "FLOPS_BUILD": "model"})

    assert "FLOPS_MODEL_URI is missing" in caught.value.reason
    assert "FLOPS_ACTORS_IMAGE is missing" in caught.value.reason


def test_secrets_do_not_show_when_settings_are_printed():
    settings = read(Settings, {**ACTORS, "FLOPS_GIT_TOKEN": "very-secret"})

    assert "very-secret" not in repr(settings)


def test_images_are_built_by_buildah_unless_something_else_is_asked_for():
    settings = read(Settings, ACTORS)

    assert settings.engine == "buildah"
    assert settings.buildah.driver == "auto"


def test_bundles_need_a_folder():
    without = {key: value for key, value in ACTORS.items() if key != "FLOPS_IMAGE_STORE"}

    assert read(Settings, without).store == Path()
    with pytest.raises(BadSettingsError, match="FLOPS_IMAGE_STORE is missing"):
        read(Settings, {**without, "FLOPS_IMAGE_ENGINE": "bundles"})


def test_the_registrys_password_does_not_show():
    variables = {**ACTORS, "FLOPS_IMAGE_REGISTRY_PASSWORD": "very-secret"}

    assert "very-secret" not in repr(read(Settings, variables))

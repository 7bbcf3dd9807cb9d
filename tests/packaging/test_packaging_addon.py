"""The addon for Oakestra's marketplace is of its form, and the same suite as compose's."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from marshmallow import Schema, fields

ROOT = Path(__file__).parents[2]
MANIFEST = json.loads((ROOT / "addon" / "manifest.json").read_text())
SERVICES = {service["service_name"]: service for service in MANIFEST["services"]}
COMPOSE = {
    name: item
    for name, item in yaml.safe_load((ROOT / "compose" / "management.yml").read_text())[
        "services"
    ].items()
    # What is in a profile runs only where somebody asks for it. An addon is filled with passwords,
    # so that none have to be made.
    if not item.get("profiles") and name != "secrets"
}

# How the parts are called in compose's network, and in the one of a root's addons.
OF_COMPOSE = {
    "manager-api": "flops_manager_api",
    "manager-worker": "flops_manager_worker",
    "mqtt-broker": "flops_mqtt_broker",
    "mongo": "flops_mongo",
    "backend-store": "flops_backend_store",
    "artifact-store": "flops_artifact_store",
    "flops_image_registry": "flops_image_registry",
    "image-registry-push": "flops_image_registry_push",
}
# What compose's file offers beyond, each with a default that is the manager's own.
OPTIONAL = {
    "FLOPS_OAKESTRA_ORGANIZATION",
    "FLOPS_OAKESTRA_KEY_URL",
    "FLOPS_PLACEMENT",
    "FLOPS_TRACKING_ALLOWED_HOSTS",
    "FLOPS_PUBLISHED_PORTS",
    "FLOPS_BASE_IMAGE_PREFIX",
    "FLOPS_DATA_SERVER_TOKEN",
    "FLOPS_DATA_SERVER_CA",
    "FLOPS_LOG_LEVEL",
    "FLOPS_LOG_FORMAT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "FLOPS_ACTOR_OTLP_ENDPOINT",
    "FLOPS_GRID_TLS",
    "FLOPS_GRID_TLS_SECRET",
}


class VolumeSchema(Schema):
    """Oakestra's schemas refuse what they do not know, as marshmallow does by itself."""

    name = fields.String(required=True)
    driver = fields.String()
    driver_opts = fields.Dict()
    labels = fields.Dict()


class NetworkSchema(Schema):
    name = fields.String(required=True)
    driver = fields.String()
    enable_ipv6 = fields.Boolean()


class ServiceSchema(Schema):
    service_name = fields.String(required=True)
    image = fields.String(required=True)
    command = fields.String()
    networks = fields.List(fields.String())
    volumes = fields.List(fields.String())
    ports = fields.Dict(keys=fields.String(), values=fields.String())
    environment = fields.Dict(keys=fields.String(), values=fields.String())
    labels = fields.Dict()


class AddonSchema(Schema):
    name = fields.String(required=True)
    description = fields.String()
    services = fields.List(fields.Nested(ServiceSchema), required=True)
    volumes = fields.List(fields.Nested(VolumeSchema))
    networks = fields.List(fields.Nested(NetworkSchema))


@pytest.fixture
def fill():
    spec = importlib.util.spec_from_file_location("addon_fill", ROOT / "addon" / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_in_the_addon(text):
    """Return a value of compose in the addon's form: its hosts, its ports, no defaults."""
    plain = re.sub(r"\$\{(FLOPS_(?:BACKEND|ARTIFACT)_STORE_PORT):-(\d+)\}", r"\2", str(text))
    plain = re.sub(r"\$\{(\w+)(?::[?-][^}]*)?\}", r"${\1}", plain)
    return plain.replace("@mongo:", "@root_flops_mongo:").replace(
        "@mqtt-broker:", "@root_flops_mqtt_broker:"
    )


def test_the_manifest_has_the_form_that_the_marketplace_reads():
    assert AddonSchema().validate(MANIFEST) == {}


def test_it_is_the_whole_suite_of_compose():
    assert set(OF_COMPOSE) == set(COMPOSE)
    assert set(OF_COMPOSE.values()) == set(SERVICES)


@pytest.mark.parametrize("name", OF_COMPOSE)
def test_a_part_gets_the_same_environment_as_in_compose(name):
    expected = {
        key: as_in_the_addon(value)
        for key, value in COMPOSE[name]["environment"].items()
        if key not in OPTIONAL and not key.endswith("_FILE")
    }

    assert SERVICES[OF_COMPOSE[name]]["environment"] == expected


@pytest.mark.parametrize("name", OF_COMPOSE)
def test_a_part_has_the_same_ports_as_in_compose(name):
    published = [as_in_the_addon(port).split(":")[-2:] for port in COMPOSE[name].get("ports", ())]

    ports = SERVICES[OF_COMPOSE[name]].get("ports", {})
    assert ports == {f"{inside}/tcp": outside for outside, inside in published}


@pytest.mark.parametrize("name", OF_COMPOSE)
def test_a_part_keeps_its_data_where_compose_keeps_them(name):
    in_compose = [
        volume
        for volume in COMPOSE[name].get("volumes", ())
        if not volume.startswith(("./", "secrets-"))
    ]

    volumes = SERVICES[OF_COMPOSE[name]].get("volumes", [])
    assert volumes == [f"flops_{item}" for item in in_compose]
    assert {volume.partition(":")[0] for volume in volumes} <= {
        volume["name"] for volume in MANIFEST["volumes"]
    }


def test_no_part_takes_the_name_of_one_of_oakestras():
    assert [name for name in SERVICES if not name.startswith("flops_")] == []


def test_the_stores_start_before_who_needs_them():
    assert list(SERVICES)[-2:] == ["flops_manager_api", "flops_manager_worker"]


def test_no_password_is_in_the_repository():
    secret = [
        value
        for service in SERVICES.values()
        for key, value in service["environment"].items()
        if key.endswith("PASSWORD") and not re.fullmatch(r"\$\{\w+\}", value)
    ]

    assert secret == []


def test_the_outside_parts_are_those_of_compose():
    dockerfile = (ROOT / "addon" / "Dockerfile").read_text()

    images = {
        name: COMPOSE[name]["image"] for name in ("mqtt-broker", "backend-store", "artifact-store")
    }
    assert [name for name, image in images.items() if f"={image}\n" not in dockerfile] == []
    assert SERVICES["flops_mongo"]["image"] == COMPOSE["mongo"]["image"]


def test_values_are_filled_in(fill):
    document = {"a": ["x-${NAME}-y"], "b": {"c": "no name"}}

    assert fill.filled(document, {"NAME": 'with "quotes"'}) == {
        "a": ['x-with "quotes"-y'],
        "b": {"c": "no name"},
    }


def test_everything_that_is_missing_is_named_at_once(fill):
    with pytest.raises(fill.MissingValuesError, match="A, B"):
        fill.filled(["${B}", {"x": "${A}"}], {})


def test_what_make_env_writes_is_enough(fill, tmp_path):
    file = tmp_path / "env"
    subprocess.run(
        [
            sys.executable,
            ROOT / "compose" / "make_env.py",
            "--file",
            file,
            "--address",
            "192.0.2.1",
        ],
        env={"FLOPS_OAKESTRA_PASSWORD": "of the root"},
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )

    values = {**fill.DEFAULTS, **fill.values_from(file.read_text())}
    document = fill.filled(MANIFEST, values)

    assert AddonSchema().validate(document) == {}
    assert "${" not in json.dumps(document)

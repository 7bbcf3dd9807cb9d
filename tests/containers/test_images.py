"""The promises of every image of FLOps."""

import json
from typing import Any

import pytest

from containers.bench.engine import Engine
from flops_contracts.version import VERSION

PREFIX = "ghcr.io/oakestra/addon-flops"
STARTED = (
    "local-oakestra",
    "manager",
    "ml-data-server",
    "mock-data-provider",
    "project-observer",
    "tracking-server",
)
BASES = ("aggregator", "learner", "model-server")
BUILDER = "image-builder"
TOOLS = ("gcc", "uv", "make")

every_image = pytest.mark.parametrize("name", [*STARTED, *BASES, BUILDER])


def image(name: str) -> str:
    return f"{PREFIX}/{name}:{VERSION}"


def configuration(engine: Engine, name: str) -> dict[str, Any]:
    described = json.loads(engine.docker("image", "inspect", image(name)))[0]
    config: dict[str, Any] = described["Config"]
    return config


@pytest.mark.parametrize("name", [*STARTED, BUILDER])
def test_an_image_holds_everything_that_its_service_imports(engine: Engine, name: str) -> None:
    answer = engine.docker("run", "--rm", "--network", "none", image(name), "check")

    assert answer.splitlines()[-1] == "ok"


@pytest.mark.parametrize("name", [*STARTED, *BASES])
def test_an_image_does_not_run_as_root(engine: Engine, name: str) -> None:
    assert configuration(engine, name)["User"] == "10001:10001"


@every_image
def test_an_image_says_how_it_is_and_what_it_is(engine: Engine, name: str) -> None:
    config = configuration(engine, name)

    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert config["Labels"]["org.opencontainers.image.title"] == f"flops-{name}"


@every_image
def test_an_image_holds_no_build_tools(engine: Engine, name: str) -> None:
    look = "; ".join(f"command -v {tool}" for tool in TOOLS)

    output = engine.docker(
        *("run", "--rm", "--entrypoint", "sh", image(name), "-c", f"{look}; true")
    )

    assert output == ""


@pytest.mark.parametrize("name", BASES)
def test_a_base_image_lists_what_it_needs_instead_of_holding_it(engine: Engine, name: str) -> None:
    labels = configuration(engine, name)["Labels"]

    needs = engine.docker(
        *("run", "--rm", "--entrypoint", "cat", image(name), labels["flops.requirements"])
    )
    site = engine.docker(*("run", "--rm", "--entrypoint", "ls", image(name), labels["flops.site"]))

    assert "paho-mqtt" in needs
    assert site == ""


def test_the_manager_adds_less_than_200_mb_to_its_base(image_table: str) -> None:
    rows = [row.split() for row in image_table.splitlines()]

    assert {name: int(added) < 200 for name, _, added in rows[1:] if name == "manager"} == {
        "manager": True
    }

"""The base case with real images from the real registry: mock data, training, a served model.

The actors' images are built by the image-builder's container, as Oakestra would run it: without
privileges. Last of the files here, because it ends with the end of what local-oakestra started.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from containers.bench.engine import Engine, await_
from containers.bench.platforms import Platforms
from containers.bench.shell import TIMES, run, say, timed
from containers.bench.suite import ROOT, Suite

REGISTRY = "127.0.0.1:5073"
SAMPLE = ROOT / "docs" / "examples" / "ml-repos" / "mnist-sklearn"
BOTH = ("--platform", "linux/amd64", "--platform", "linux/arm64")
LEARNER_MB = 450
DEMO_SECONDS = 1500
CONTAINERS = ("ps", "--all", "--filter", "label=flops.world", "--format", "{{.Names}}")


@dataclass(frozen=True)
class Demo:
    """The result that one run of compose/demo.py wrote."""

    result: dict[str, Any]

    @property
    def images(self) -> dict[str, str]:
        """The references of the actors' images."""
        images: dict[str, str] = self.result["project"]["images"]
        return images

    def repository(self, role: str) -> str:
        """Return an actor's image without the registry's name."""
        return self.images[role].removeprefix(f"{REGISTRY}/")


def run_demo(suite: Suite, folder: Path, what: str, *more: str | Path) -> Demo:
    script = ROOT / "compose" / "demo.py"
    file = folder / "result.json"
    with timed(what):
        run(
            [sys.executable, script, "--env-file", suite.env_file, "--result", file, *more],
            seconds=DEMO_SECONDS,
            env=suite.engine.environment,
        )
    result = json.loads(file.read_text())
    for stage, seconds in result["stage_seconds"].items():
        TIMES[f"{what}: {stage}"] = seconds
    return Demo(result)


@pytest.fixture(scope="module")
def demo(suite: Suite, platforms: Platforms, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return run_demo(suite, tmp_path_factory.mktemp("demo"), "the base case, two platforms", *BOTH)


@pytest.fixture(scope="module")
def after_a_commit(
    suite: Suite, demo: Demo, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Demo, Demo]:
    folder = tmp_path_factory.mktemp("again")
    changed = shutil.copytree(SAMPLE, folder / SAMPLE.name)
    with (changed / "model_manager.py").open("a") as file:
        file.write("\n# Nothing but code is new.\n")
    what = "the base case after a change of code"
    return demo, run_demo(suite, folder, what, "--sample", changed, *BOTH)


SERVE = {"mdl", "obs", "trk", "ml-"}
"""What may run when nothing is going on."""


def world(engine: Engine) -> list[str]:
    """Return what local-oakestra runs: the first three letters of the services' names."""
    names = engine.docker(*CONTAINERS).split()
    return sorted({name.rsplit(".", 3)[1][:3] for name in names if name.count(".") > 2})


def test_the_trained_model_tells_digits(demo: Demo) -> None:
    assert demo.result["accuracy"] > 0.8


@pytest.mark.parametrize("role", ["learner", "aggregator"])
def test_actors_come_from_the_registry_for_both_platforms(
    demo: Demo, platforms: Platforms, role: str
) -> None:
    assert demo.images[role].startswith(f"{REGISTRY}/")
    assert platforms.architectures(demo.repository(role)) == {"amd64", "arm64"}


@pytest.mark.skipif(not shutil.which("qemu-aarch64-static"), reason="no qemu is installed here")
def test_the_learner_for_arm64_imports_under_qemu(demo: Demo, platforms: Platforms) -> None:
    code = "import flops_learner.__main__, model_manager, platform; print(platform.machine())"

    assert platforms.emulated(demo.repository("learner"), code) == "aarch64\n"


def test_the_learner_is_small(demo: Demo, engine: Engine) -> None:
    size = engine.docker("image", "inspect", "--format", "{{.Size}}", demo.images["learner"])
    say(f"the learner's image has {int(size) / 1e6:.0f} MB")

    assert int(size) <= LEARNER_MB * 10**6


def test_nothing_of_a_finished_project_runs_but_what_serves(demo: Demo, engine: Engine) -> None:
    # An engine takes its time to delete what a builder unpacked.
    await_("the end of all others", lambda: set(world(engine)) <= SERVE, 180)


def test_after_a_change_of_code_only_the_code_is_new(
    after_a_commit: tuple[Demo, Demo], platforms: Platforms
) -> None:
    before, after = (platforms.layers(item.repository("learner")) for item in after_a_commit)

    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_no_log_holds_a_password(demo: Demo, suite: Suite) -> None:
    logs = suite.compose("logs") + suite.inside("local-oakestra", "sh", "-c", "cat state/logs/*")
    names = [f"FLOPS_{name}_PASSWORD" for name in ("REGISTRY", "MQTT_ACTOR", "BACKEND_STORE")]

    assert [name for name in names if suite.value(name) in logs] == []


def test_stores_start_again_with_what_they_hold(demo: Demo, suite: Suite) -> None:
    stores = ("artifact-store", "backend-store", "mongo", "mqtt-broker")
    suite.compose("restart", *stores, seconds=180)

    suite.up()

    assert set(suite.states().values()) == {"healthy", ""}


def test_what_local_oakestra_started_ends_with_it(demo: Demo, suite: Suite, engine: Engine) -> None:
    suite.compose("stop", "local-oakestra", seconds=120)

    assert engine.docker(*CONTAINERS) == ""
    assert "flops-10-30" not in engine.docker("network", "ls", "--format", "{{.Name}}").split()

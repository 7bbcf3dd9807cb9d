"""The contract of all runtimes, tested with each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flops_contracts.bundles import Bundle, write_bundle
from flops_local_oakestra.adapters.container_runtime import ContainerRuntime
from flops_local_oakestra.adapters.engine import Engine
from flops_local_oakestra.adapters.engine_commands import ContainerOptions, EngineWorld
from flops_local_oakestra.adapters.log_files import LogFiles
from flops_local_oakestra.adapters.process_runtime import ProcessRuntime
from flops_local_oakestra.ports.runtime import (
    CannotStartError,
    NotReadyError,
    Runtime,
    Workload,
)
from support.engine import TestEngine, engine_of_this_machine, free_bridge
from support.memory.runtime import MemoryRuntime, Script

BASE = {"PATH": "/usr/bin:/bin"}
MISSING = "missing.invalid/missing"


def a_workload(image: str) -> Workload:
    return Workload("test.0", image)


class RuntimeContract:
    """Subclasses supply ``runtime`` with images ``seven`` and ``stays``."""

    def test_wait_returns_the_exit_code(self, runtime: Runtime) -> None:
        assert runtime.start(a_workload("seven")).wait() == 7

    def test_wait_returns_only_after_the_end(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("stays"))

        running.stop(5.0)

        assert running.wait() == 143

    def test_the_last_output_is_available_after_the_end(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("seven"))
        running.wait()

        assert running.tail(3) == b"bye"

    def test_stopping_twice_or_too_late_is_allowed(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("seven"))
        running.wait()

        running.stop(1.0)
        running.stop(1.0)

        assert running.tail(3) == b"bye"

    def test_a_missing_image_cannot_be_started(self, runtime: Runtime) -> None:
        with pytest.raises(CannotStartError, match=f"image {MISSING} "):
            runtime.start(a_workload(MISSING))

    def test_it_knows_its_images(self, runtime: Runtime) -> None:
        assert runtime.has_image("seven")
        assert not runtime.has_image(MISSING)

    def test_an_ended_workload_has_no_usage(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("seven"))
        running.wait()

        assert running.usage() is None


class TestMemoryRuntime(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return MemoryRuntime({"seven": Script(b"good bye", 7), "stays": Script()})


class TestProcessRuntime(RuntimeContract):
    @pytest.fixture
    def runtime(self, tmp_path: Path) -> Runtime:
        images = {
            "seven": "import sys; print('good bye', end=''); sys.exit(7)",
            "stays": "import signal; signal.pause()",
        }
        for image, code in images.items():
            write_bundle(tmp_path / "images", Bundle(image, (sys.executable, "-c", code)))
        return ProcessRuntime(tmp_path / "images", LogFiles(tmp_path / "logs"), BASE)

    def test_the_usage_of_a_running_workload_is_measured(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("stays"))

        usage = running.usage()

        running.stop(5.0)
        running.wait()
        assert usage.memory_percent > 0

    def test_a_process_gets_the_variables_of_its_image(self, tmp_path: Path) -> None:
        code = "import os; print(os.environ.get('NAME'), end='')"
        for image in ("named", "other"):
            write_bundle(tmp_path / "images", Bundle(image, (sys.executable, "-c", code)))
        runtime = ProcessRuntime(
            *(tmp_path / "images", LogFiles(tmp_path / "logs"), BASE),
            image_environments={"named": {"NAME": "text"}},
        )

        ended = [runtime.start(Workload(f"{image}1", image)) for image in ("named", "other")]

        assert [(running.wait(), running.tail(100)) for running in ended] == [
            (0, b"text"),
            (0, b"None"),
        ]

    def test_an_unreadable_image_cannot_be_started(self, runtime: Runtime, tmp_path: Path) -> None:
        folder = write_bundle(tmp_path / "images", Bundle("broken", ("x",)))
        (folder / "bundle.json").write_text("{")

        with pytest.raises(CannotStartError, match="image broken cannot be read"):
            runtime.start(a_workload("broken"))

    def test_a_missing_working_folder_is_named(self, runtime: Runtime, tmp_path: Path) -> None:
        bundle = Bundle("lost", ("true",), working_directory="/no/such/folder")
        write_bundle(tmp_path / "images", bundle)

        with pytest.raises(CannotStartError, match="/no/such/folder"):
            runtime.start(a_workload("lost"))

    def test_old_logs_are_dropped(self, tmp_path: Path) -> None:
        write_bundle(tmp_path / "images", Bundle("true", ("true",)))
        runtime = ProcessRuntime(tmp_path / "images", LogFiles(tmp_path / "logs", 3), BASE)

        for number in range(6):
            runtime.start(Workload(f"test{number}", "true")).wait()

        assert len(list((tmp_path / "logs").iterdir())) == 4


@pytest.fixture(scope="module")
def engine() -> Iterator[TestEngine]:
    with engine_of_this_machine() as test_engine:
        test_engine.image("seven", "printf 'good bye'; exit 7")
        test_engine.image("stays", "trap 'exit 143' TERM; sleep 3600 & wait $!")
        yield test_engine


class TestContainerRuntime(RuntimeContract):
    @pytest.fixture
    def world(self, engine: TestEngine) -> EngineWorld:
        return EngineWorld(free_bridge(engine))

    @pytest.fixture
    def runtime(self, engine: TestEngine, world: EngineWorld, tmp_path: Path) -> Iterator[Runtime]:
        opened = a_container_runtime(engine, world, tmp_path)
        opened.open()
        yield opened
        opened.close()

    def test_the_usage_of_a_running_workload_is_measured(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("stays"))

        assert running.usage().memory_percent >= 0

    def test_the_whole_log_is_a_file_after_the_end(self, runtime: Runtime, tmp_path: Path) -> None:
        runtime.start(a_workload("seven")).wait()

        assert (tmp_path / "logs" / "test.0.log").read_bytes() == b"good bye"

    def test_a_missing_program_cannot_be_started(self, runtime: Runtime) -> None:
        workload = Workload("test.0", "seven", command=("/no/such/program",))

        with pytest.raises(CannotStartError, match="/no/such/program"):
            runtime.start(workload)

    def test_an_end_leaves_no_container_and_no_network(
        self, runtime: Runtime, engine: TestEngine, world: EngineWorld
    ) -> None:
        runtime.start(a_workload("stays"))

        runtime.close()

        assert engine.containers(world.name) == []
        assert world.name not in engine.networks()

    def test_leftovers_of_an_earlier_run_are_removed_at_the_start(
        self, runtime: Runtime, engine: TestEngine, world: EngineWorld, tmp_path: Path
    ) -> None:
        runtime.start(a_workload("stays"))

        a_container_runtime(engine, world, tmp_path).open()

        assert engine.containers(world.name) == []

    def test_a_foreign_container_with_the_name_is_noticed(
        self, runtime: Runtime, engine: TestEngine, world: EngineWorld
    ) -> None:
        name = f"{world.name}-others"
        workload = Workload("test.0", "stays", container_name=name)
        engine.call("run", "--detach", "--name", name, "stays")

        is_run_by_others = runtime.is_run_by_others(workload)

        engine.call("rm", "--force", name)
        assert is_run_by_others
        runtime.start(workload)
        assert not runtime.is_run_by_others(workload)

    def test_a_foreign_network_is_not_removed(
        self, engine: TestEngine, world: EngineWorld, tmp_path: Path
    ) -> None:
        engine.call("network", "create", "--subnet", world.subnet, world.name)
        runtime = a_container_runtime(engine, world, tmp_path)

        runtime.open()
        runtime.close()

        assert world.name in engine.networks()
        engine.call("network", "rm", world.name)

    def test_a_network_with_other_addresses_is_refused(
        self, engine: TestEngine, world: EngineWorld, tmp_path: Path
    ) -> None:
        engine.call("network", "create", "--subnet", f"{world.prefix}.7.0/24", world.name)

        with pytest.raises(NotReadyError, match=world.subnet):
            a_container_runtime(engine, world, tmp_path).open()

        engine.call("network", "rm", world.name)

    def test_an_engine_that_does_not_answer_is_named(self, world: EngineWorld, tmp_path) -> None:
        nobody = Engine("docker", {**BASE, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
        missing = Engine("no-such-engine", BASE)
        logs = LogFiles(tmp_path / "logs")
        runtime = ContainerRuntime([missing, nobody], world, ContainerOptions(), logs, 1 << 30)

        with pytest.raises(NotReadyError, match=r"no-such-engine: .*; docker: Cannot connect"):
            runtime.open()


def a_container_runtime(engine: TestEngine, world: EngineWorld, folder: Path) -> ContainerRuntime:
    logs = LogFiles(folder / "logs")
    return ContainerRuntime([engine.engine], world, ContainerOptions(), logs, 1 << 30)

"""What every runtime promises; each runs the same promises."""

import sys
from pathlib import Path

import pytest

from flops_contracts.bundles import Bundle, write_bundle
from flops_local_oakestra.adapters.memory_runtime import MemoryRuntime, Script
from flops_local_oakestra.adapters.process_runtime import ProcessRuntime
from flops_local_oakestra.ports.runtime import CannotStartError, Runtime, Workload


def a_workload(image: str) -> Workload:
    return Workload("test", image, "127.30.64.1")


class RuntimeContract:
    """Subclasses supply ``runtime`` with images ``seven`` and ``stays``."""

    def test_the_exit_code_is_told(self, runtime: Runtime) -> None:
        assert runtime.start(a_workload("seven")).wait() == 7

    def test_the_exit_code_is_told_only_when_it_has_ended(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("stays"))

        running.stop(5.0)

        assert running.wait() == 143

    def test_the_end_of_the_output_is_there_after_the_end(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("seven"))
        running.wait()

        assert running.tail(3) == b"bye"

    def test_stopping_twice_or_too_late_is_fine(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("seven"))
        running.wait()

        running.stop(1.0)
        running.stop(1.0)

        assert running.tail(3) == b"bye"

    def test_a_missing_image_cannot_be_started(self, runtime: Runtime) -> None:
        with pytest.raises(CannotStartError, match="image missing is not in the image store"):
            runtime.start(a_workload("missing"))

    def test_it_knows_its_images(self, runtime: Runtime) -> None:
        assert runtime.has_image("seven")
        assert not runtime.has_image("missing")

    def test_the_use_of_what_has_ended_cannot_be_told(self, runtime: Runtime) -> None:
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
        return ProcessRuntime(tmp_path / "images", tmp_path / "logs", {"PATH": "/usr/bin:/bin"})

    def test_the_use_of_what_runs_is_measured(self, runtime: Runtime) -> None:
        running = runtime.start(a_workload("stays"))

        usage = running.usage()

        running.stop(5.0)
        running.wait()
        assert usage.memory_percent > 0

    def test_an_unreadable_image_cannot_be_started(self, runtime: Runtime, tmp_path: Path) -> None:
        folder = write_bundle(tmp_path / "images", Bundle("broken", ("x",)))
        (folder / "bundle.json").write_text("{")

        with pytest.raises(CannotStartError, match="image broken cannot be read"):
            runtime.start(a_workload("broken"))

    def test_a_missing_working_folder_cannot_be_started_in(
        self, runtime: Runtime, tmp_path: Path
    ) -> None:
        bundle = Bundle("lost", ("true",), working_directory="/no/such/folder")
        write_bundle(tmp_path / "images", bundle)

        with pytest.raises(CannotStartError, match="/no/such/folder"):
            runtime.start(a_workload("lost"))

    def test_old_logs_are_dropped(self, tmp_path: Path) -> None:
        write_bundle(tmp_path / "images", Bundle("true", ("true",)))
        runtime = ProcessRuntime(
            tmp_path / "images", tmp_path / "logs", {"PATH": "/usr/bin:/bin"}, log_files=3
        )

        for number in range(6):
            runtime.start(Workload(f"test{number}", "true", "127.30.64.1")).wait()

        assert len(list((tmp_path / "logs").iterdir())) == 4

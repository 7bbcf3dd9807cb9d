"""The container runtime's calls, with an engine that only records them."""

from pathlib import Path

import pytest

from flops_local_oakestra.adapters.container_runtime import ContainerRuntime
from flops_local_oakestra.adapters.engine import reason
from flops_local_oakestra.adapters.engine_commands import ContainerOptions, EngineWorld
from flops_local_oakestra.adapters.log_files import LogFiles
from flops_local_oakestra.ports.runtime import CannotStartError, NotReadyError, Workload
from support.recording_engine import RecordingEngine

WORKLOAD = Workload("a.0", "image", "10.30.64.1", {"FLOPS_PASSWORD": "secret", "FLOPS_KEY": "a\nb"})


@pytest.fixture
def engine(tmp_path: Path) -> RecordingEngine:
    return RecordingEngine(tmp_path)


@pytest.fixture
def runtime(engine: RecordingEngine, tmp_path: Path) -> ContainerRuntime:
    options = ContainerOptions(environment={"PIP_INDEX_URL": "https://index.test"})
    logs = LogFiles(tmp_path / "logs")
    return ContainerRuntime([engine.engine], EngineWorld("10.30"), options, logs, 1 << 30)


def test_no_value_of_a_variable_is_in_a_command_line(runtime, engine):
    runtime.start(WORKLOAD)

    (call,) = engine.calls("run")
    assert not any("secret" in word or "a\nb" in word for word in call.argv)
    assert call.env_file == "PIP_INDEX_URL=https://index.test\nFLOPS_PASSWORD=secret\n"
    assert call.variables["FLOPS_KEY"] == "a\nb"


def test_the_variables_are_readable_only_by_the_user_and_removed_afterwards(runtime, engine):
    runtime.start(WORKLOAD)

    (call,) = engine.calls("run")
    assert call.mode == 0o600
    assert not Path(call.argv[call.argv.index("--env-file") + 1]).exists()


def test_an_existing_image_is_not_pulled(runtime, engine):
    runtime.start(WORKLOAD)

    assert engine.calls("pull") == []


def test_an_absent_image_is_pulled_first(runtime, engine):
    engine.answer("image", code=1, error="Error: No such image: image")

    runtime.start(WORKLOAD)

    assert [call.argv for call in engine.calls("pull")] == [["pull", "--quiet", "image"]]


def test_a_registry_without_tls_gets_a_hint(runtime, engine):
    engine.answer("image", code=1)
    error = "Error response from daemon: Get x: http: server gave HTTP response to HTTPS client"
    engine.answer("pull", code=1, error=error)

    with pytest.raises(CannotStartError, match="must list this registry as insecure"):
        runtime.start(WORKLOAD)


def test_a_container_that_could_not_be_started_is_removed(runtime, engine):
    engine.answer("ps", "id1\n")
    engine.answer(
        "run", code=127, error="docker: Error response from daemon: no sh.\n\nRun 'docker"
    )

    with pytest.raises(CannotStartError, match=r"^cannot start image: no sh\.$"):
        runtime.start(WORKLOAD)

    assert engine.calls("rm")[-1].argv == ["rm", "--force", "--volumes", "id1"]


def test_opening_removes_containers_of_an_earlier_run(runtime, engine):
    engine.answer("network", code=1, error="Error response from daemon: network x not found")
    engine.answer("ps", "id1\nid2\n")

    with pytest.raises(NotReadyError):
        runtime.open()

    assert engine.calls("rm")[0].argv == ["rm", "--force", "--volumes", "id1", "id2"]


def test_the_grace_is_passed_in_whole_seconds(runtime, engine):
    engine.answer("wait", "143\n")
    running = runtime.start(WORKLOAD)

    running._stop(2)

    assert engine.calls("stop")[0].argv[:3] == ["stop", "-t", "2"]


def test_a_removed_container_counts_as_killed(runtime, engine):
    engine.answer("wait", code=1, error="Error response from daemon: No such container: x")

    assert runtime.start(WORKLOAD).wait() == 137


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Error response from daemon: a\n", "a"),
        (
            "first\ndocker: Error response from daemon: b.\n\nRun 'docker run --help'\n",
            "b.",
        ),
        ("Error: c\n", "c"),
        ("", ""),
    ],
)
def test_the_reason_is_the_last_informative_line(text: str, said: str):
    assert reason(text) == said

"""Resource usage of containers, read from the engine's table."""

from pathlib import Path

from flops_local_oakestra.adapters.container_usage import MAX_AGE_SECONDS, Meter, read_samples
from flops_local_oakestra.ports.runtime import Usage
from support.recording_engine import RecordingEngine

DOCKERS = "a|12.50%|512MiB / 2GiB\nb|--|-- / --\n"
PODMANS = "a|12.50%|536.870912MB / 2GB\n"


def test_memory_is_a_share_of_the_machine():
    assert read_samples(DOCKERS, 1 << 30) == {"a": Usage(12.5, 50.0)}


def test_podman_counts_in_thousands():
    assert read_samples(PODMANS, 1 << 30) == {"a": Usage(12.5, 50.0)}


def test_a_sample_is_reused_for_all_containers(tmp_path: Path):
    engine = RecordingEngine(tmp_path)
    engine.answer("stats", DOCKERS)
    now = iter([100.0, 100.0, 101.0, 102.0 + MAX_AGE_SECONDS, 120.0])
    meter = Meter(engine.engine, 1 << 30, lambda: next(now))

    used = [meter.usage("a"), meter.usage("unknown"), meter.usage("a")]

    assert used == [Usage(12.5, 50.0), None, Usage(12.5, 50.0)]
    assert len(engine.calls("stats")) == 2

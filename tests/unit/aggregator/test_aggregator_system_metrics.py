"""Samples of the machine, under the names that MLflow's pages know."""

import ast
from pathlib import Path

import psutil
import pytest

from flops_aggregator.tracking.system_metrics import SystemMetrics, sample
from support.waiting import until

mlflow = pytest.importorskip("mlflow")

OWN = {"system/process_memory_megabytes"}


def names_of_mlflow():
    """Return what MLflow's own monitors measure, by their code: no GPU is needed for that."""
    folder = Path(mlflow.__file__).parent / "system_metrics" / "metrics"
    texts = [
        (folder / f"{item}_monitor.py").read_text("utf-8") for item in ("cpu", "disk", "network")
    ]
    return {
        f"system/{node.slice.value}"
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    }


def test_a_sample_has_all_that_mlflow_measures():
    metrics = sample(0, 0)

    assert set(metrics) == names_of_mlflow() | OWN
    assert all(value >= 0 for value in metrics.values())


def test_only_what_was_carried_since_the_start_counts():
    carried = psutil.net_io_counters()

    metrics = sample(carried.bytes_recv, carried.bytes_sent)

    assert metrics["system/network_receive_megabytes"] < 1000


def test_samples_come_until_it_is_stopped():
    samples = []
    metrics = SystemMetrics(samples.append, 0.01, 0.01)

    metrics.start()
    until(lambda: len(samples) >= 3, 10, "three samples")
    metrics.stop()
    metrics._thread.join(300)

    assert not metrics._thread.is_alive()


def test_a_short_training_has_one_sample():
    samples = []
    metrics = SystemMetrics(samples.append, 60, 60)

    metrics.start()
    metrics.stop()
    metrics.stop()

    assert len(samples) == 1


def test_what_never_started_can_be_stopped():
    SystemMetrics(pytest.fail).stop()

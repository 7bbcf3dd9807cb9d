"""The data server as a process: its HTTP pages and its end."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
import requests

from flops_contracts.exit_codes import ExitCode
from flops_flight.client import DataServer
from support.broker import free_port, is_listening
from support.data_plane import a_data_server_process, a_table, memory_mb
from support.waiting import until


@pytest.fixture
def process(tmp_path):
    ports = {"FLOPS_FLIGHT_PORT": str(free_port()), "FLOPS_HTTP_PORT": str(free_port())}
    environment = {
        "PATH": os.environ["PATH"],
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        "FLOPS_DATA_VOLUME": str(tmp_path / "volume"),
        **ports,
    }
    command = [sys.executable, "-m", "flops_ml_data_server"]
    with subprocess.Popen(command, env=environment) as process:
        process.ports = ports
        until(lambda: is_listening(int(ports["FLOPS_FLIGHT_PORT"])), what="the server listens")
        yield process
        process.kill()


def test_it_says_how_it_is_over_http(process):
    pages = f"http://127.0.0.1:{process.ports['FLOPS_HTTP_PORT']}"
    until(lambda: requests.get(f"{pages}/readyz", timeout=120).ok, what="it is ready")
    with DataServer(f"127.0.0.1:{process.ports['FLOPS_FLIGHT_PORT']}") as server:
        server.download(server.upload("mnist", a_table()).name)

    metrics = requests.get(f"{pages}/metrics", timeout=120).text

    assert 'flops_data_uploads_total{outcome="stored"} 1.0' in metrics
    assert "flops_data_downloads_total 1.0" in metrics
    assert requests.get(f"{pages}/healthz", timeout=120).json() == {"message": "ok"}
    assert requests.get(f"{pages}/api/status", timeout=120).json()["state"] == "serving"


def test_sigterm_ends_it_cleanly(process):
    process.send_signal(signal.SIGTERM)

    assert process.wait(300) == ExitCode.TERMINATED


def test_a_volume_that_cannot_be_used_is_reported(tmp_path):
    (tmp_path / "file").write_text("no folder")

    ended = subprocess.run(
        [sys.executable, "-m", "flops_ml_data_server"],
        env={"PATH": os.environ["PATH"], "FLOPS_DATA_VOLUME": str(tmp_path / "file" / "x")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (ended.returncode, "cannot use" in ended.stderr) == (ExitCode.BAD_SETTINGS, True)


def test_memory_goes_back_when_no_transfer_is_under_way(tmp_path):
    def send(node, number):
        values = np.random.default_rng(number).standard_normal(4_000_000, dtype=np.float32)
        with node.client() as server:
            server.upload(f"t{number}", pa.table({"x": values}))

    volume = tmp_path / "volume"
    with a_data_server_process(volume, FLOPS_UPLOAD_IDLE_SECONDS="2") as (node, process):
        before = memory_mb(process, "VmRSS")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(send, [node] * 8, range(8)))

        assert memory_mb(process, "VmHWM") - before > 100
        until(lambda: memory_mb(process, "VmRSS") - before < 75, what="it gives memory back")

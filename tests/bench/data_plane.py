"""``python -m bench.data_plane``: how fast data go in and come out, beside a bare Flight server.

Prints a line of JSON for each measurement, and a table at the end. It never fails for being slow.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.data_children import cpu_seconds, peak_mb, tell
from bench.data_samples import SAMPLES
from flops_flight.client import DataServer
from support.broker import free_port
from support.data_plane import image_environment

# Measured on the system of 2024, on a machine of this kind (2 cores).
ROUNDS = {"vectors": 2, "pictures": 5}
LOAD_2024 = {"vectors": {"load": 14.5, "array": None}, "pictures": {"load": 0.65, "array": 8.5}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_plane", description=__doc__)
    parser.add_argument("--senders", type=int, nargs="*", default=[1, 10, 100])
    parser.add_argument("--samples", nargs="*", choices=list(SAMPLES), default=list(SAMPLES))
    options = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for sample in options.samples:
        lines += [measured_upload(sample, senders) for senders in options.senders]
        lines.append(measured_load(sample))
    tell(_as_text(lines))


def measured_upload(sample: str, senders: int) -> dict[str, Any]:
    """Send the same parts to both servers."""
    with bare_server() as (bare, bare_pid), data_server() as (ours, our_pid):
        pids = {"bare": bare_pid, "ours": our_pid}
        # The start of a server does not count as part of its uploads.
        before = {kind: cpu_seconds(pid) for kind, pid in pids.items()}
        sent = child("send", sample, str(senders), str(ROUNDS[sample]), bare, ours)
        peaks = {kind: peak_mb(str(pid)) for kind, pid in pids.items()}
        cpu = {kind: cpu_seconds(pid) - before[kind] for kind, pid in pids.items()}
    mb = sent["bytes"] / 1e6
    row = {
        "what": "upload",
        "data": sample,
        "senders": senders,
        "mb": round(mb),
        "ours_mb_s": round(mb / sent["ours"]),
        "bare_mb_s": round(mb / sent["bare"]),
        "ratio": round(sent["bare"] / sent["ours"], 2),
        "cpu_seconds": round(cpu["ours"], 2),
        "bare_cpu_seconds": round(cpu["bare"], 2),
        "server_peak_mb": round(peaks["ours"]),
        "bare_server_peak_mb": round(peaks["bare"]),
        "sender_mb": round(sent["sender_mb"]),
    }
    tell(json.dumps(row))
    return row


def measured_load(sample: str) -> dict[str, Any]:
    """Load one big fragment in a learner."""
    with data_server() as (address, pid):
        child("store", address, sample)
        before = cpu_seconds(pid)
        loaded = child("load", address, sample)
        loaded["server_cpu_seconds"] = cpu_seconds(pid) - before
    data_mb = loaded["bytes"] / 1e6
    row = {
        "what": "load",
        "data": sample,
        "mb": round(data_mb),
        "load_seconds": round(loaded["load_seconds"], 2),
        "array_seconds": round(loaded["array_seconds"], 2),
        # On a busy machine, these say more than the clock.
        "load_cpu_seconds": round(loaded["load_cpu_seconds"], 2),
        "server_cpu_seconds": round(loaded["server_cpu_seconds"], 2),
        "array_cpu_seconds": round(loaded["array_cpu_seconds"], 2),
        "peak_mb": round(loaded["load_mb"]),
        "peak_of_data": round(loaded["grown_mb"] / data_mb, 2),
        "fixed_mb": round(loaded["fixed_mb"]),
        "of_2024": LOAD_2024[sample],
    }
    tell(json.dumps(row))
    return row


def child(*arguments: str) -> dict[str, Any]:
    """Run a child to its end and return what it printed last."""
    command = [sys.executable, "-m", "bench.data_children", *arguments]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


@contextmanager
def bare_server() -> Iterator[tuple[str, int]]:
    """Serve bare Flight in a process."""
    with tempfile.TemporaryDirectory(prefix="flops-bench-") as folder:
        command = [sys.executable, "-m", "bench.data_children", "bare", folder]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            try:
                yield f"127.0.0.1:{process.stdout.readline().strip()}", process.pid
            finally:
                process.kill()


@contextmanager
def data_server() -> Iterator[tuple[str, int]]:
    """Serve a volume in a process, as its image does by default."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="flops-bench-") as folder:
        environment = {
            **os.environ,
            **image_environment(),
            "FLOPS_BIND_ADDRESS": "127.0.0.1",
            "FLOPS_FLIGHT_PORT": str(port),
            "FLOPS_HTTP_PORT": "0",
            "FLOPS_DATA_VOLUME": str(Path(folder) / "volume"),
            "FLOPS_LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "flops_ml_data_server"]
        with subprocess.Popen(command, env=environment) as process:
            try:
                with DataServer(f"127.0.0.1:{port}") as server:
                    server.wait_until_reachable(60)
                yield f"127.0.0.1:{port}", process.pid
            finally:
                process.kill()


def _as_text(lines: list[dict[str, Any]]) -> str:
    uploads = [
        f"{line['data']:10}{line['mb']:6} MB {line['senders']:5} senders {line['ours_mb_s']:6} MB/s"
        f" {line['bare_mb_s']:6} MB/s bare {line['ratio']:6} of bare"
        f" {line['server_peak_mb']:6} MB server ({line['bare_server_peak_mb']} bare)"
        for line in lines
        if line["what"] == "upload"
    ]
    loads = [
        f"{line['data']:10}{line['mb']:6} MB load {line['load_seconds']:6} s, array"
        f" {line['array_seconds']:5} s, peak {line['peak_mb']} MB: {line['peak_of_data']}"
        f" of the data and {line['fixed_mb']} MB whatever is loaded; 2024:"
        f" {' + '.join(f'{seconds} s' for seconds in line['of_2024'].values() if seconds)}"
        for line in lines
        if line["what"] == "load"
    ]
    return "\n".join(["", *uploads, *loads])


if __name__ == "__main__":
    main()

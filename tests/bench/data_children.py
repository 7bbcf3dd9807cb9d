"""The child processes of the data plane's bench, so that the memory of each can be measured."""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import flight

from bench.data_samples import SAMPLES
from flops_flight.client import DataServer, batches_of
from flops_ml_data_server.storage.layout import writer_options

FEW_ROWS = 10


def peak_mb(process: str = "self") -> float:
    """Return the most memory that a process ever had."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def tell(text: str) -> None:
    """Print a line for the parent process."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def cpu_seconds(process: int) -> float:
    """Return how long a process has worked, in all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class BareServer(flight.FlightServerBase):
    """DoPut into Parquet and nothing else: the limit to chase."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        super().__init__("grpc://127.0.0.1:0")

    def do_put(self, _context, descriptor, reader, _writer) -> None:
        """Write every batch as it comes."""
        path = self._folder / descriptor.path[0].decode()
        options = writer_options(reader.schema, "zstd")
        with pq.ParquetWriter(path, reader.schema, **options) as file:
            for chunk in reader:
                file.write_batch(chunk.data)


def bare(folder: str) -> None:
    """Serve bare Flight until the input ends."""
    server = BareServer(folder)
    tell(str(server.port))
    sys.stdin.read()
    os._exit(0)


def send(sample: str, senders: str, rounds: str, *addresses: str) -> None:
    """Send a sample in as many parts as there are senders, all at once, to bare Flight and to ours.

    They take turns, and the best of the rounds counts, so that a busy machine hits both alike.
    """
    make, rows, _ = SAMPLES[sample]
    table, count = make(rows), int(senders)
    parts = [table.slice(i * rows // count, rows // count) for i in range(count)]
    seconds: dict[str, list[float]] = {"bare": [], "ours": []}
    before = peak_mb()
    for turn in range(int(rounds)):
        for kind, address in zip(seconds, addresses, strict=True):
            seconds[kind].append(_sent(SENDING[kind], address, turn, parts))
    best = {kind: min(taken) for kind, taken in seconds.items()}
    tell(json.dumps({**best, "bytes": table.nbytes, "sender_mb": peak_mb() - before}))


def _sent(upload: Callable[..., None], address: str, turn: int, parts: list[pa.Table]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda part: upload(address, f"{turn}-{part[0]}", part[1]), enumerate(parts)))
    return time.perf_counter() - began


def _send_bare(address: str, name: str, table: pa.Table) -> None:
    with flight.connect(f"grpc://{address}") as client:
        path = flight.FlightDescriptor.for_path(f"{name}.parquet")
        writer, _ = client.do_put(path, table.schema)
        for batch in batches_of(table):
            writer.write_batch(batch)
        writer.close()


def _send_ours(address: str, name: str, table: pa.Table) -> None:
    with DataServer(address) as server:
        server.upload(f"bench-{name}", table)


SENDING = {"bare": _send_bare, "ours": _send_ours}


def store(address: str, sample: str) -> None:
    """Store a sample for ``load``."""
    make, rows, _ = SAMPLES[sample]
    table = make(rows)
    _send_ours(address, "load", table)
    _send_ours(address, "few", table.slice(0, FEW_ROWS))
    tell("{}")


def load(address: str, sample: str) -> None:
    """Load all as a learner does, then make the array as its user's code does."""
    from flops_utils import data_source  # noqa: PLC0415 - not what the others need
    from flops_utils.ml_repo_building_blocks import load_dataset  # noqa: PLC0415

    data_source.use(data_source.DataSource(address, ("bench-few",), shared=True))
    import flops_utils.learner_dataset  # noqa: F401, PLC0415 - a second, whatever is loaded

    idle_mb = peak_mb()
    load_dataset()  # what the code and the connection need, whatever is loaded
    data_source.use(data_source.DataSource(address, ("bench-load",), shared=True))
    before, began, worked = peak_mb(), time.perf_counter(), time.process_time()
    dataset = load_dataset()
    loaded, worked_loading, mb = time.perf_counter(), time.process_time(), peak_mb()
    dataset.set_format("numpy")
    array = dataset[SAMPLES[sample][2]]
    measurements = {
        "load_seconds": loaded - began,
        "load_cpu_seconds": worked_loading - worked,
        "array_seconds": time.perf_counter() - loaded,
        "array_cpu_seconds": time.process_time() - worked_loading,
        "bytes": dataset.data.nbytes,
        "load_mb": mb,
        "grown_mb": mb - before,
        "fixed_mb": before - idle_mb,
        "array_mb": peak_mb(),
        "shape": list(array.shape),
    }
    tell(json.dumps(measurements))


if __name__ == "__main__":
    {"bare": bare, "send": send, "store": store, "load": load}[sys.argv[1]](*sys.argv[2:])

"""Tables, digits and a data server for tests of the data plane."""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from flops_flight.client import DataServer
from flops_ml_data_server.bootstrap import serving
from flops_ml_data_server.settings import Settings, Tokens
from flops_runtime.settings import ProcessSettings
from support.broker import free_port, is_listening
from support.builds import ROOT
from support.waiting import until

ADDRESS = "127.0.0.1"
METADATA = {"huggingface": '{"info": {"features": {"x": {"dtype": "int64", "_type": "Value"}}}}'}


def a_table(rows: int = 100, first: int = 0) -> pa.Table:
    """Return distinct rows with the metadata that datasets leaves in a schema."""
    return pa.table({"x": range(first, first + rows)}).replace_schema_metadata(METADATA)


def write_digits(folder: Path, each: int = 20) -> np.ndarray:
    """Write a small file in the layout of mnist_5k.csv.gz, sorted by label; return its pixels."""
    random = np.random.default_rng(7)
    pixels = random.integers(0, 256, (10 * each, 28, 28), dtype=np.uint8)
    lines = [
        ",".join(map(str, [*image.ravel(), number // each])) for number, image in enumerate(pixels)
    ]
    with gzip.open(folder / "mnist_5k.csv.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    return pixels


@dataclass(frozen=True)
class World:
    """A running data server and what its files are in."""

    address: str
    http: str
    volume: Path

    def client(self, token: str = "", **options: object) -> DataServer:
        return DataServer(self.address, token, **options)

    def visible(self) -> list[str]:
        """The names of all files that are not hidden."""
        return sorted(path.name for path in self.volume.iterdir() if path.name[0] != ".")

    def unfinished(self) -> list[str]:
        """Return the files of uploads that have not finished, or were left behind."""
        return [path.name for path in self.volume.iterdir() if path.name.startswith(".upload-")]


@contextmanager
def a_data_server(volume: Path, token: str = "", **changes: object) -> Iterator[World]:
    """Serve ``volume`` on free ports; ``changes`` are those of ``Settings``."""
    changes = {"tokens": Tokens(token), **changes}
    plain = Settings(
        ProcessSettings(bind_address=ADDRESS, status_port=0), volume=volume, flight_port=0
    )
    settings = replace(plain, **changes)
    with serving(settings, CollectorRegistry()) as running:
        http = f"http://{ADDRESS}:{running.http_port}"
        yield World(f"{ADDRESS}:{running.flight_port}", http, volume)


_LEAVES = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint8(), st.integers(0, 255)),
    (pa.float64(), st.floats(allow_nan=False).map(lambda value: value + 0.0)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text(max_size=8)),
    (pa.large_string(), st.text(max_size=8)),
    (pa.binary(), st.binary(max_size=8)),
    (pa.timestamp("us", "UTC"), st.integers(0, 2**50)),
    (pa.date32(), st.integers(0, 2**20)),
]


def _nested(leaf):
    kind, values = leaf
    return st.sampled_from(
        [
            leaf,
            (pa.list_(kind), st.lists(st.none() | values, max_size=3)),
            (pa.large_list(kind), st.lists(values, max_size=3)),
            (
                pa.struct([("a", kind), ("b", pa.int32())]),
                st.fixed_dictionaries({"a": st.none() | values, "b": st.integers(0, 9)}),
            ),
            (
                pa.list_(pa.struct([("a", kind)])),
                st.lists(st.fixed_dictionaries({"a": values}), max_size=3),
            ),
        ]
    )


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Any table of some rows, with nulls, nested columns and sometimes a dictionary."""
    rows = draw(st.integers(1, 20))
    columns = {}
    for number in range(draw(st.integers(1, 4))):
        kind, values = draw(st.sampled_from(_LEAVES).flatmap(_nested))
        cells = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        columns[f"c{number}"] = pa.array(cells, kind)
    if draw(st.booleans()):
        words = draw(st.lists(st.sampled_from(["a", "b", None]), min_size=rows, max_size=rows))
        columns["words"] = pa.array(words, pa.string()).dictionary_encode()
    return pa.table(columns)


def image_environment() -> dict[str, str]:
    """Return the allocation settings of the data server's image, for processes like its own."""
    dockerfile = ROOT / "services/ml-data-server/Dockerfile"
    return dict(re.findall(r"((?:ARROW|MALLOC)_\w+)=(\w+)", dockerfile.read_text("utf-8")))


def memory_mb(process: int | str, key: str) -> float:
    """Return what a process has now (``VmRSS``), or had at most (``VmHWM``)."""
    lines = Path(f"/proc/{process}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024 / 1e6


@contextmanager
def a_data_server_process(volume: Path, **more: str) -> Iterator[tuple[World, int]]:
    """Serve ``volume`` in a process of its own, whose id comes with it; it must not die.

    ``more`` are variables of its environment.
    """
    port, http_port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        **image_environment(),
        "FLOPS_BIND_ADDRESS": ADDRESS,
        "FLOPS_DATA_VOLUME": str(volume),
        "FLOPS_FLIGHT_PORT": str(port),
        "FLOPS_HTTP_PORT": str(http_port),
        **more,
    }
    command = [sys.executable, "-m", "flops_ml_data_server"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            until(lambda: is_listening(port), what="the server listens")
            yield World(f"{ADDRESS}:{port}", f"http://{ADDRESS}:{http_port}", volume), process.pid
            is_up = process.poll() is None
        finally:
            # Else a test that fails waits here for a server that nobody ends.
            process.kill()
    assert is_up

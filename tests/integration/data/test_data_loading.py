"""The dataset from ``load_dataset``, and the traces that loading leaves."""

import os
import subprocess
import sys

import pyarrow as pa
import pytest

from flops_flight.messages import Part, Share
from support.builds import ROOT
from support.data_plane import a_table

LEARNER = """
from flops_utils.ml_repo_building_blocks import load_dataset
dataset = load_dataset()
dataset.set_format("numpy")
print(len(dataset), int(dataset["x"].sum()))
"""

# The code of Arrow Flight is read from disk at the first load, whatever that loads.
MEASURED = """
import sys
from flops_utils import data_source
from flops_utils.ml_repo_building_blocks import load_dataset
from support.data_plane import memory_mb

peaks = []
for tag in ("few", "many"):
    data_source.use(data_source.DataSource(sys.argv[1], (tag,), shared=True))
    dataset = load_dataset()
    peaks.append(memory_mb("self", "VmHWM"))
print(dataset.data.nbytes, (peaks[1] - peaks[0]) * 1e6)
"""


@pytest.mark.parametrize("memory_mb", ["0", "1"], ids=["in memory", "mapped"])
def test_a_learner_leaves_nothing_behind(node, server, tmp_path, memory_mb):
    rows = 300_000
    server.upload("mnist", a_table(rows))
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "FLOPS_DATA_SERVER_ADDRESS": node.address,
        "FLOPS_DATA_TAGS": "mnist",
        "FLOPS_DATASET_MEMORY_MB": memory_mb,
    }

    answer = subprocess.run(
        [sys.executable, "-c", LEARNER],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert answer.stdout.split() == [str(rows), str(rows * (rows - 1) // 2)]
    assert [path for path in tmp_path.rglob("*") if path.is_file() and home in path.parents] == []
    assert list(temporary.rglob("*")) == []


def test_a_load_takes_little_more_memory_than_its_rows(node, server):
    cells = [os.urandom(1000) for _ in range(96_000)]
    server.upload("few", pa.table({"x": cells[:10]}))
    server.upload("many", pa.table({"x": cells}))

    answer = subprocess.run(
        [sys.executable, "-c", MEASURED, node.address],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )

    size, grown = map(float, answer.stdout.split())
    assert grown < 1.3 * size


def test_what_exceeds_memory_is_mapped_and_equal(server):
    parts = [server.upload("mnist", a_table(200_000, first)).name for first in (0, 10**6)]
    share = Share(tuple(Part(name, 0, 200_000) for name in parts))
    in_memory = server.read_share(share)
    before = pa.total_allocated_bytes()

    mapped = server.read_share(share, memory_bytes=1)

    assert mapped.equals(in_memory, check_metadata=True)
    assert pa.total_allocated_bytes() - before < mapped.nbytes / 4


def test_dictionaries_survive_being_mapped(server):
    sent = pa.table({"word": pa.array(["a", "b", None]).dictionary_encode()})
    name = server.upload("words", sent).name

    mapped = server.read_share(Share((Part(name, 0, 3), Part(name, 1, 2))), memory_bytes=1)

    assert mapped.column("word").to_pylist() == ["a", "b", None, "b", None]

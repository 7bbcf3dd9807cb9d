"""The example for edge devices runs unchanged against a real data server."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import flight

from support.data_plane import a_data_server, a_table

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "edge-device" / "push.py"


@pytest.fixture
def node(tmp_path):
    with a_data_server(tmp_path / "volume") as world:
        yield world


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("push_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-I", EXAMPLE, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_needs_pyarrow_only():
    names = [
        name.partition(".")[0]
        for node in ast.walk(ast.parse(EXAMPLE.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]

    assert set(names) - sys.stdlib_module_names == {"pyarrow"}


def test_a_csv_file_is_stored(node, tmp_path):
    file = tmp_path / "readings.csv"
    file.write_text("temperature,fault\n20.5,0\n21.0,1\n")

    ended = run(node.address, "oven", file)

    assert ended.returncode == 0, ended.stdout
    (name,) = node.visible()
    assert ended.stdout.startswith(f"{name}: 2 rows")
    assert pq.read_table(node.volume / name).to_pydict() == {
        "temperature": [20.5, 21.0],
        "fault": [0, 1],
    }


def test_a_parquet_file_keeps_its_metadata(node, tmp_path):
    table = a_table(25_000)
    pq.write_table(table, tmp_path / "x.parquet")

    ended = run(node.address, "oven", tmp_path / "x.parquet")

    assert ended.returncode == 0, ended.stdout
    with node.client() as client:
        (fragment,) = client.list_fragments(("oven",))
        assert client.download(fragment.name).equals(table, check_metadata=True)


def test_the_same_again_changes_nothing(node, example):
    first = example.push(node.address, "oven", a_table(10))

    assert example.push(node.address, "oven", a_table(10)) == first
    assert len(node.visible()) == 1


def test_a_token_is_sent(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("x\n1\n")

    with a_data_server(tmp_path / "volume", token="s3cret") as node:
        refused = run(node.address, "oven", file)
        accepted = run(node.address, "oven", file, FLOPS_DATA_SERVER_TOKEN="s3cret")

    assert (refused.returncode, accepted.returncode) == (1, 0)
    assert len(node.visible()) == 1


def test_a_refusal_says_why(node, example):
    with pytest.raises((flight.FlightError, pa.ArrowException), match="tag"):
        example.push(node.address, "no/tag", a_table(1))

    assert node.visible() == []

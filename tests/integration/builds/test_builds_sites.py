"""The packages of the sample's learner image: small enough, and whole enough to train."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flops_contracts.bundles import bundle_folder
from flops_image_builder.adapters.commands import Commands
from flops_image_builder.adapters.sites import Sites
from flops_image_builder.adapters.uv import Uv, UvSettings
from flops_image_builder.domain.locks import lock_from_text
from flops_image_builder.domain.platforms import platform_of
from flops_image_builder.domain.pythons import Interpreter
from support.builds import a_repository

LIMIT_MB = 390
"""An image may have 450 MB, of which the learner's base takes 55."""

TRAINING = """
import threading
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
from datasets import Dataset
from flwr.app import ArrayRecord, RecordDict
from sklearn.datasets import make_classification
import flops_grid.client.app, flops_utils.ml_repo_building_blocks, model_manager

class Data(flight.FlightServerBase):
    def do_get(self, context, ticket):
        x, y = make_classification(200, 10, random_state=1)
        table = pa.table({"x": list(x.astype("float32")), "y": y})
        return flight.RecordBatchStream(table)

with Data("grpc://127.0.0.1:0") as server:
    reader = flight.connect(f"grpc://127.0.0.1:{server.port}").do_get(flight.Ticket(b"a"))
    data = Dataset(reader.read_all(), fingerprint="a").with_format("numpy")
manager = model_manager.ModelManager()
classifier = manager._classifier.__class__(max_iter=50)
classifier.fit(data["x"], data["y"])
arrays = ArrayRecord([classifier.coef_, classifier.intercept_])
print(classifier.score(data["x"], data["y"]) > 0.7, len(RecordDict({"a": arrays})))
"""


@pytest.fixture(scope="module")
def learner(builder, tmp_path_factory):
    """The bundle of the sample's learner: its lock, code and FLOps' own packages."""
    url = a_repository(tmp_path_factory.mktemp("sites") / "mnist")
    return bundle_folder(builder.store, builder.actors(url)[0].images.learner)


@pytest.fixture(scope="module")
def site(learner, tmp_path_factory):
    lock = lock_from_text((learner / "requirements.lock").read_text())
    python = Interpreter(f"3.{sys.version_info.minor}", "", platform_of(os.uname().machine))
    sites = Sites(
        Uv(Commands(os.environ), UvSettings(torch_backend="")), tmp_path_factory.mktemp("contexts")
    )
    return sites.context(lock, python, python.platform) / "site"


def files(site):
    return [path for path in site.rglob("*") if path.is_file() and not path.is_symlink()]


def test_the_packages_of_the_sample_leave_room_for_the_base(site):
    assert sum(file.stat().st_size for file in files(site)) / 1e6 < LIMIT_MB


def test_no_build_tools_and_no_mlflow_are_among_them(site):
    names = {path.name for path in site.iterdir()}

    assert not names & {"pip", "setuptools", "wheel", "uv", "mlflow", "bin", "Cython", "numba"}


def test_what_is_taken_out_stays_in_the_package_cache(site):
    assert {file.stat().st_nlink for file in files(site)} == {1}


def test_what_is_left_loads_data_and_trains(learner, site):
    path = [learner / "base", learner / "code", site]

    ended = subprocess.run(
        [Path(sys._base_executable), "-s", "-c", TRAINING],
        env={"PATH": os.defpath, "HOME": str(site), "PYTHONPATH": ":".join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ended.stdout.split() == ["True", "1"], ended.stderr

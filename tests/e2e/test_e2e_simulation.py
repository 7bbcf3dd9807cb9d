"""``flops local simulate`` as the documentation has it: one command, and its answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.suite import SAMPLE, installed_places

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


def simulate(folder, *arguments, **changes):
    """Run the command; return what ended."""
    sla = {
        "customerID": "Admin",
        "ml_repo_url": str(SAMPLE),
        "ml_model_flavor": "sklearn",
        "training_configuration": {"training_cycles": 2, "training_rounds": 3},
        **changes,
    }
    (folder / "digits.json").write_text(json.dumps(sla))
    command = ["local", "simulate", *arguments, str(folder / "digits.json")]
    return subprocess.run(
        [sys.executable, "-m", "flops_cli", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    installed_places()
    return tmp_path_factory.mktemp("simulation")


def test_clusters_of_learners_train_on_one_machine(folder):
    output = folder / "rounds.json"

    ended = simulate(folder, "--learners", "20", "--clusters", "2", "--output", str(output))

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "20 learners with 225 to 225 rows each." in ended.stdout
    assert "Best: cycle 2, accuracy 0.8" in ended.stdout
    document = json.loads(output.read_text())
    assert len(document["rounds"]) == 2
    assert len(document["cluster_rounds"]) == 2 * 2 * 3
    assert document["best"]["accuracy"] > 0.8


def test_a_mock_sla_says_which_data_are_split_and_how_and_updates_are_compressed(folder):
    """How well compressed updates learn digits, is compared without processes elsewhere."""
    mock = {
        "customerID": "Admin",
        "mock_data_configuration": {
            "dataset_name": "mnist",
            "data_tag": "mnist",
            "source": "builtin:mnist5k",
            "split": "test",
            "partitioner": {"name": "LinearPartitioner"},
        },
    }
    (folder / "mock.json").write_text(json.dumps(mock))
    mock_file, output = str(folder / "mock.json"), folder / "compressed.json"
    arguments = ("--learners", "4", "--mock", mock_file, "--output", str(output))
    training = {"training_rounds": 3, "compression": "int8"}

    ended = simulate(folder, *arguments, training_configuration=training)

    assert ended.returncode == 0
    assert "4 learners with 50 to 200 rows each." in ended.stdout
    document = json.loads(output.read_text())
    assert document["best"]["accuracy"] > 0.6
    # 7,850 numbers of each learner, a byte each, and their metadata.
    assert 4 * 7850 < document["rounds"][0]["bytes_up"] < 4 * 7850 + 8000


def test_an_impossible_simulation_is_refused_in_a_sentence(folder):
    ended = simulate(folder, "--learners", "5", "--clusters", "2")

    assert ended.returncode != 0
    assert "5 learners cannot be spread evenly over 2 clusters" in ended.stderr


def test_a_repository_that_cannot_be_built_says_why(folder):
    ended = simulate(folder, "--learners", "2", ml_repo_url=str(folder))

    assert ended.returncode != 0
    assert "model_manager.py" in ended.stderr

"""The sample repository of each heavy flavor, trained, stored and served: `make test-flavors`.

Not part of `make test`: the libraries are large, and each flavor takes minutes.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import requests

from flops_cli.local.held_out import fetch_samples
from flops_contracts.bundles import bundle_folder, read_bundle
from flops_contracts.roles import Stage
from support.suite import ROOT, a_project_sla, a_repository, installed_places

pytestmark = [pytest.mark.flavors, pytest.mark.timeout(900)]

STEPS = ["build_image_for_trained_model", "deploy_trained_model_image"]
SAMPLES = ROOT / "docs" / "examples" / "ml-repos"
SECONDS = 800
COUNTERS = """
import json, pathlib, sys, torch
file = next(pathlib.Path(sys.argv[1]).rglob("model.pth"))
state = torch.load(file, weights_only=False).state_dict()
found = {k: [str(v.dtype), int(v)] for k, v in state.items() if k.endswith("num_batches_tracked")}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Flavored:
    """A flavor, and the project that its sample repository became."""

    name: str
    project: object

    def bundle(self, image: str):
        """Return an image in the local store: ``learner``, ``aggregator`` or ``model``."""
        document = self.project.document
        reference = document["model_image"] if image == "model" else document["images"][image]
        store = installed_places().images
        return read_bundle(store, reference), bundle_folder(store, reference)


@pytest.fixture(scope="module", params=["pytorch", "keras", "tensorflow"])
def flavored(request, world, tmp_path_factory):
    repository = a_repository(
        tmp_path_factory.mktemp("repositories") / request.param,
        sample=SAMPLES / f"mnist-{request.param}",
    )
    sla = a_project_sla(repository, ml_model_flavor=request.param, post_training_steps=STEPS)
    project = world.finished(world.client.submit_project(sla), SECONDS)
    yield Flavored(request.param, project)
    world.client.delete_project(project.id)


def test_the_project_is_trained_and_served(flavored):
    assert (flavored.project.stage, flavored.project.failure) == (Stage.COMPLETED, None)


def test_every_round_is_reported_and_learning_happens(flavored):
    rounds = flavored.project.rounds

    assert [round_.round for round_ in rounds] == [1, 2, 3]
    assert rounds[-1].accuracy > 0.85


def test_the_served_model_knows_digits_that_no_learner_had(world, flavored):
    samples = fetch_samples(world.suite.network.data_server(1), "mnist-held-out")
    inputs = [[float(value) for value in input_] for input_ in samples.inputs]

    url = f"{flavored.project.model_url}/invocations"
    answer = requests.post(url, json={"inputs": inputs}, timeout=120)

    scores = np.array(answer.json()["predictions"])
    assert scores.shape == (500, 10)
    assert samples.accuracy_of(scores.argmax(axis=1)) > 0.85


def test_the_stored_model_asks_for_versions_that_an_index_has(flavored):
    _, folder = flavored.bundle("model")

    requirements = (folder / "model" / "requirements.txt").read_text()

    assert {"pytorch": "torch==", "keras": "keras==", "tensorflow": "tensorflow-cpu=="}[
        flavored.name
    ] in requirements
    assert "+" not in requirements


@pytest.mark.parametrize("image", ["learner", "aggregator", "model"])
def test_no_image_holds_what_only_a_gpu_needs(flavored, image):
    _, folder = flavored.bundle(image)

    lock = (folder / "requirements.lock").read_text()

    assert "nvidia" not in lock
    assert "triton" not in lock


# Only PyTorch's BatchNorm counts its batches.
@pytest.mark.parametrize("flavored", ["pytorch"], indirect=True)
def test_integer_buffers_stay_integers(flavored):
    bundle, folder = flavored.bundle("model")

    ended = subprocess.run(
        [bundle.argv[0], "-c", COUNTERS, str(folder / "model")],
        env=dict(bundle.environment),
        cwd=Path(bundle.working_directory),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    counters = json.loads(ended.stdout)
    assert [dtype for dtype, _ in counters.values()] == ["torch.int64", "torch.int64"]
    assert all(count > 30 for _, count in counters.values())

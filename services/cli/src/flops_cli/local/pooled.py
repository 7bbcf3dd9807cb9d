"""Training on the pooled data, to compare the federated result with."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flops_cli.errors import LocalSuiteError
from flops_cli.local.held_out import Samples
from flops_contracts.bundles import read_bundle
from flops_flight.client import DataServer

TRAIN_SECONDS: Final = 180.0
PROGRAM: Final = Path(__file__).with_name("pooled_program.py")


@dataclass(frozen=True)
class Pooled:
    """The samples that a fit used, and the accuracy on the held-out samples."""

    samples: int
    accuracy: float


@dataclass(frozen=True)
class PooledTraining:
    """The learner's image, the data, and how often to fit."""

    images: Path
    learner_image: str
    data_server: str
    data_tag: str
    fits: int


def gather(servers: Sequence[str], tag: str) -> str:
    """Copy the fragments with ``tag`` of all ``servers`` to the first; return their tag there.

    Only for comparison: in a federation, data do not leave their nodes.
    """
    pooled = f"{tag}-pooled"
    with DataServer(servers[0]) as first:
        for address in servers:
            with DataServer(address) as server:
                for fragment in server.list_fragments((tag,)):
                    first.upload(pooled, server.download(fragment.name))
    return pooled


def train_pooled(training: PooledTraining, samples: Samples, folder: Path) -> Pooled:
    """Train in a process of the learner's environment; raise ``LocalSuiteError``."""
    bundle = read_bundle(training.images, training.learner_image)
    if bundle is None:
        raise LocalSuiteError(f"there is no image {training.learner_image}")
    inputs = folder / "held-out.json"
    inputs.write_text(json.dumps(samples.inputs), encoding="utf-8")
    env = {
        **bundle.environment,
        "FLOPS_DATA_SERVER_ADDRESS": training.data_server,
        "FLOPS_DATA_TAGS": training.data_tag,
        "HOME": str(folder),
    }
    try:
        ended = subprocess.run(
            [bundle.argv[0], str(PROGRAM), str(inputs), str(training.fits)],
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TRAIN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalSuiteError(f"training on the pooled data failed: {error}") from error
    if ended.returncode != 0:
        raise LocalSuiteError(
            "training on the pooled data failed", errors=ended.stderr.splitlines()[-20:]
        )
    result = json.loads(ended.stdout.splitlines()[-1])
    return Pooled(int(result["samples"]), samples.accuracy_of(result["predictions"]))

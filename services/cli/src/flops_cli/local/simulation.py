"""Simulating a project's training on this machine: environment, data, and the process itself."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flops_cli.errors import LocalSuiteError
from flops_cli.local.environments import DATASETS
from flops_cli.local.images import PREFIX, builtin_datasets, register_simulator
from flops_cli.local.places import Places
from flops_cli.local.processes import descendants, wait_for
from flops_contracts.bundles import Bundle, read_bundle
from flops_contracts.sla import MockDataConfiguration, ProjectSla

NEEDS: Final = ("image-builder", "mock-data-provider", DATASETS)
"""The services that have a part in it, whose environments have to be there."""

BUILD_SECONDS: Final = 1800.0
SPLIT_SECONDS: Final = 1800.0
END_SECONDS: Final = 30.0

News = Mapping[str, Any]


class SimulationError(LocalSuiteError):
    """The simulation failed, for a reason that the simulated project would have failed for."""


@dataclass(frozen=True)
class Simulation:
    """A project, its data, and how many learners are to share them."""

    sla: Mapping[str, Any]
    read: ProjectSla
    data: MockDataConfiguration
    learners: int
    clusters: int
    processes: int
    seed: int


class Simulator:
    """Makes what a simulation needs below ``folder``, and runs it."""

    def __init__(self, places: Places, variables: Mapping[str, str], folder: Path) -> None:
        self._places = places
        self._variables = {
            name: value
            for name, value in variables.items()
            if not name.startswith("FLOPS_") or name.startswith("FLOPS_GIT_")
        }
        self._folder = folder

    def environment(self, asked: Simulation) -> Bundle:
        """Build an aggregator's environment with the learner's code; raise ``SimulationError``."""
        sla = asked.read
        told = {
            "FLOPS_ML_REPO_URL": sla.ml_repo_url,
            "FLOPS_ML_REPO_REF": sla.ml_repo_ref,
            "FLOPS_ML_MODEL_FLAVOR": sla.ml_model_flavor,
            "FLOPS_IMAGE_STORE": str(self._places.images),
            "FLOPS_IMAGE_PREFIX": PREFIX,
            "FLOPS_IMAGE_TAG": register_simulator(self._places, self._variables),
            "FLOPS_IMAGE_REGISTRY": "simulation",
            "FLOPS_COUNTS_PRIVACY": "on" if sla.privacy.differential_privacy else "",
            "FLOPS_LOG_LEVEL": "WARNING",
        }
        ended = self._run("image-builder", ["assemble"], told, BUILD_SECONDS)
        document = _last_line(ended)
        if error := document.get("error"):
            raise SimulationError(error["reason"], hint=error["hint"])
        bundle = read_bundle(self._places.images, document["aggregator"])
        if bundle is None:
            raise SimulationError("what the image-builder has made is gone")
        return bundle

    def data(self, asked: Simulation) -> list[int]:
        """Split the data into a file for each learner; return their rows."""
        wanted = asked.data
        partitioner = {
            "name": wanted.partitioner.name,
            "parameters": dict(wanted.partitioner.parameters),
        }
        told = {
            "FLOPS_DATASET_NAME": wanted.dataset_name,
            "FLOPS_DATA_TAG": wanted.data_tag,
            "FLOPS_SOURCE": wanted.source,
            "FLOPS_SPLIT": wanted.split,
            "FLOPS_SEED": str(wanted.seed),
            "FLOPS_NUMBER_OF_PARTITIONS": str(asked.learners),
            "FLOPS_PARTITIONER": json.dumps(partitioner),
            "FLOPS_BUILTIN_DATASETS": str(builtin_datasets(self._places)),
            "FLOPS_LOG_LEVEL": "WARNING",
        }
        argv = ["split", str(self._data)]
        rows = _last_line(self._run("mock-data-provider", argv, told, SPLIT_SECONDS))
        if len(rows) != asked.learners:
            raise SimulationError(
                f"{wanted.partitioner.name} makes {len(rows)} partitions of these data, not "
                f"{asked.learners}",
                hint="Simulate as many learners, or change the partitioner.",
            )
        return [int(one) for one in rows]

    def run(self, asked: Simulation, bundle: Bundle) -> Iterator[News]:
        """Give what happens as it happens; the last is ``done``. Raises ``SimulationError``."""
        plan = self._folder / "plan.json"
        document = {
            "sla": asked.sla,
            "data": str(self._data),
            "clusters": asked.clusters,
            "processes": asked.processes,
            "seed": asked.seed,
        }
        plan.write_text(json.dumps(document), encoding="utf-8")
        log = self._folder / "simulation.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [bundle.argv[0], "-m", "flops_simulator", str(plan)],
                env={**self._variables, **bundle.environment, "OMP_NUM_THREADS": "1"},
                cwd=bundle.working_directory,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            with process:
                try:
                    yield from _told(process.stdout or (), log)
                    process.wait(END_SECONDS)
                    # Python's own watcher over shared resources ends a moment after it.
                    wait_for(lambda: not descendants(), END_SECONDS, "the end of the simulation")
                finally:
                    # Whoever stops listening wants no more of it.
                    process.terminate()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(
        self, service: str, arguments: Sequence[str], told: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        module = f"flops_{service.replace('-', '_')}"
        try:
            return subprocess.run(
                [str(self._places.python(service)), "-m", module, *arguments],
                env={**self._variables, **{name: one for name, one in told.items() if one}},
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SimulationError(f"{service} took longer than {seconds:.0f} s") from error


def _told(lines: Any, log: Path) -> Iterator[News]:
    for line in lines:
        news: News = json.loads(line)
        if news["kind"] == "failed":
            raise SimulationError(news["reason"], hint=news["hint"], errors=_tail(log))
        yield news
        if news["kind"] == "done":
            return
    raise SimulationError("the simulation broke off", errors=_tail(log))


def _last_line(ended: subprocess.CompletedProcess[str]) -> Any:
    """Return the JSON that a program printed last; raise with what it said instead."""
    try:
        return json.loads(ended.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        lines = ended.stderr.splitlines()
        raise SimulationError(
            lines[-1] if lines else "it said nothing", errors=lines[-20:]
        ) from error


def _tail(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]

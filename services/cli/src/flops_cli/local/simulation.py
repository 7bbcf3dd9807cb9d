"""Simulates a project's training on this machine: environment, data, and the process itself."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flops_cli.errors import LocalSuiteError
from flops_cli.local.environments import DATASETS
from flops_cli.local.images import PREFIX, build_settings, builtin_datasets, register_simulator
from flops_cli.local.places import Places
from flops_cli.local.processes import descendants, wait_for
from flops_contracts.bundles import Bundle, read_bundle
from flops_contracts.sla import MockDataConfiguration, ProjectSla

NEEDS: Final = ("image-builder", "mock-data-provider", DATASETS)
"""Services and datasets that a simulation needs installed."""

BUILD_SECONDS: Final = 1800.0
SPLIT_SECONDS: Final = 1800.0
END_SECONDS: Final = 30.0

News = Mapping[str, Any]


class SimulationError(LocalSuiteError):
    """The simulation failed, for a reason that a real project would have failed for, too."""


@dataclass(frozen=True)
class Simulation:
    """A project, its data, and the number of learners that share them."""

    document: Mapping[str, Any]
    sla: ProjectSla
    data: MockDataConfiguration
    learners: int
    clusters: int
    processes: int
    seed: int


class Simulator:
    """Prepares a simulation below ``folder``, and runs it."""

    def __init__(self, places: Places, variables: Mapping[str, str], folder: Path) -> None:
        self._places = places
        foreign = {
            name: value for name, value in variables.items() if not name.startswith("FLOPS_")
        }
        self._variables = foreign | build_settings(variables)
        self._folder = folder

    def environment(self, simulation: Simulation) -> Bundle:
        """Build an aggregator's environment with the learner's code; raise ``SimulationError``."""
        sla = simulation.sla
        settings = {
            "FLOPS_ML_REPO_URL": sla.ml_repo_url,
            "FLOPS_ML_REPO_REF": sla.ml_repo_ref,
            "FLOPS_ML_MODEL_FLAVOR": sla.ml_model_flavor,
            "FLOPS_IMAGE_STORE": str(self._places.images),
            "FLOPS_IMAGE_PREFIX": PREFIX,
            "FLOPS_IMAGE_TAG": register_simulator(self._places),
            "FLOPS_IMAGE_REGISTRY": "simulation",
            "FLOPS_COUNTS_PRIVACY": "on" if sla.privacy.differential_privacy else "",
            "FLOPS_LOG_LEVEL": "WARNING",
        }
        document = self._run("image-builder", ["assemble"], settings, BUILD_SECONDS)
        if error := document.get("error"):
            raise SimulationError(error["reason"], hint=error["hint"])
        bundle = read_bundle(self._places.images, document["aggregator"])
        if bundle is None:
            raise SimulationError("the bundle that the image-builder reported does not exist")
        return bundle

    def data(self, simulation: Simulation) -> list[int]:
        """Split the data into a file for each learner; return how many rows each file has."""
        data = simulation.data
        partitioner = {
            "name": data.partitioner.name,
            "parameters": dict(data.partitioner.parameters),
        }
        settings = {
            "FLOPS_DATASET_NAME": data.dataset_name,
            "FLOPS_DATA_TAG": data.data_tag,
            "FLOPS_SOURCE": data.source,
            "FLOPS_SPLIT": data.split,
            "FLOPS_SEED": str(data.seed),
            "FLOPS_NUMBER_OF_PARTITIONS": str(simulation.learners),
            "FLOPS_PARTITIONER": json.dumps(partitioner),
            "FLOPS_BUILTIN_DATASETS": str(builtin_datasets(self._places)),
            "FLOPS_LOG_LEVEL": "WARNING",
        }
        argv = ["split", str(self._data)]
        rows = self._run("mock-data-provider", argv, settings, SPLIT_SECONDS)
        if len(rows) != simulation.learners:
            raise SimulationError(
                f"{data.partitioner.name} splits these data into {len(rows)} partitions, not "
                f"{simulation.learners}",
                hint="Simulate as many learners, or change the partitioner.",
            )
        return [int(count) for count in rows]

    def run(self, simulation: Simulation, bundle: Bundle) -> Iterator[News]:
        """Yield events as they happen; the last is ``done``. Raises ``SimulationError``."""
        plan = self._folder / "plan.json"
        document = {
            "sla": simulation.document,
            "data": str(self._data),
            "clusters": simulation.clusters,
            "processes": simulation.processes,
            "seed": simulation.seed,
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
                    yield from _news(process.stdout or (), log)
                    process.wait(END_SECONDS)
                    # Python's resource tracker ends a moment after it.
                    wait_for(lambda: not descendants(), END_SECONDS, "the end of the simulation")
                finally:
                    # The caller may stop iterating before the end.
                    process.terminate()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(
        self, service: str, arguments: Sequence[str], settings: Mapping[str, str], seconds: float
    ) -> Any:
        """Run a service; return the JSON that it prints last."""
        module = f"flops_{service.replace('-', '_')}"
        try:
            ended = subprocess.run(
                [str(self._places.python(service)), "-m", module, *arguments],
                env={**self._variables, **{name: text for name, text in settings.items() if text}},
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SimulationError(f"{service} took longer than {seconds:.0f} s") from error
        try:
            return json.loads(ended.stdout.splitlines()[-1])
        except (ValueError, IndexError) as error:
            lines = ended.stderr.splitlines()
            reason = lines[-1] if lines else f"{service} printed no result"
            raise SimulationError(reason, errors=lines[-20:]) from error


def _news(lines: Any, log: Path) -> Iterator[News]:
    for line in lines:
        news: News = json.loads(line)
        if news["kind"] == "failed":
            raise SimulationError(news["reason"], hint=news["hint"], errors=_tail(log))
        yield news
        if news["kind"] == "done":
            return
    raise SimulationError("the simulation ended unexpectedly", errors=_tail(log))


def _tail(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]

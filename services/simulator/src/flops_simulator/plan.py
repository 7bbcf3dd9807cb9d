"""The plan of a simulation: its SLA, data, clusters, processes and seed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.sla import ProjectSla
from flops_contracts.sla_documents import read_project_sla


class UnusablePlanError(FlopsError):
    """The plan does not say what to do, or its files are missing."""

    exit_code = ExitCode.BAD_SETTINGS


@dataclass(frozen=True)
class Plan:
    """A project over ``data``, a Parquet file for each learner.

    Without ``clusters`` one aggregator leads all learners, else each cluster's leads an equal part
    of them, below a root. ``processes`` hold the learners. Who draws random numbers without a seed
    of the repository's own draws them by ``seed``.
    """

    sla: ProjectSla
    data: tuple[Path, ...]
    clusters: int
    processes: int
    seed: int

    @classmethod
    def read(cls, file: Path) -> "Plan":
        """Return the plan in a JSON file; raise ``UnusablePlanError`` or ``InvalidSlaError``."""
        try:
            document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            plan = cls(
                sla=read_project_sla(document["sla"]),
                data=tuple(sorted(Path(document["data"]).glob("*.parquet"))),
                clusters=int(document["clusters"]),
                processes=int(document["processes"]),
                seed=int(document["seed"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnusablePlanError(f"{file} is not a valid plan: {error}") from error
        if not plan.data:
            raise UnusablePlanError(f"there are no data in {document['data']}")
        if plan.clusters and len(plan.data) % plan.clusters:
            raise UnusablePlanError(
                f"{len(plan.data)} learners cannot be spread evenly over {plan.clusters} clusters"
            )
        return plan

    @property
    def learners(self) -> dict[str, Path]:
        """The data of each learner by its name; names are in the order of the files."""
        digits = len(str(len(self.data)))
        return {f"learner{n:0{digits}}": file for n, file in enumerate(self.data, start=1)}

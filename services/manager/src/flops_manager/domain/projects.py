"""A project: what a customer requested, and everything known about it since."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Self

from flops_contracts.api.answers import StageEntry
from flops_contracts.build_records import actors_note, model_note
from flops_contracts.events import ActorImages, RoundCompleted, Trained
from flops_contracts.roles import MockStage, Stage
from flops_contracts.sla import ProjectSla
from flops_manager.domain.subjects import Subject


@dataclass(frozen=True)
class ClusterRound:
    """A round between the learners of one cluster and their aggregator."""

    cluster: str
    completed: RoundCompleted


@dataclass(frozen=True)
class Project(Subject):
    """The whole state of one project.

    ``stopped_in`` is the stage that failed or was cancelled. ``rounds`` are those of its
    aggregator: in hierarchical mode cycles, with ``cluster_rounds`` in them. If
    ``takes_runs_along``, its experiment and model in MLflow are deleted with it.
    """

    noun: ClassVar[str] = "project"

    sla: ProjectSla
    stage: Stage
    stage_history: tuple[StageEntry, ...] = ()
    grid_token: str = field(default="", repr=False)
    images: ActorImages | None = None
    commit: str = ""
    python_version: str = ""
    dependency_lock: str = ""
    rounds: tuple[RoundCompleted, ...] = ()
    cluster_rounds: tuple[ClusterRound, ...] = ()
    trained: Trained | None = None
    model_image: str = ""
    model_address: str = ""
    stopped_in: Stage | None = None
    takes_runs_along: bool = False

    @property
    def is_hierarchical(self) -> bool:
        """Return whether each cluster has an aggregator of its own."""
        return self.sla.training_configuration.is_hierarchical

    @property
    def expected_rounds(self) -> int:
        """How many rounds its aggregator runs; in hierarchical mode these are cycles."""
        training = self.sla.training_configuration
        return training.training_cycles if self.is_hierarchical else training.training_rounds

    @property
    def completed_rounds(self) -> int:
        """The number of the last round that is known; of many, not all are kept."""
        return self.rounds[-1].round if self.rounds else 0

    @property
    def current_round(self) -> int | None:
        """The round that a classic training is in, as far as is known."""
        progress = self.progress
        if self.stage is not Stage.TRAINING or progress is None or progress.unit != "rounds":
            return None
        return min(int(progress.done) + 1, self.expected_rounds)

    @property
    def best_cycle(self) -> int | None:
        """The cycle of the best model in hierarchical mode."""
        return self.trained.best_round if self.trained and self.is_hierarchical else None

    @property
    def accuracy(self) -> float | None:
        """The accuracy of its model, or of the last round as long as there is none."""
        measured = (*self.rounds[-1:], *((self.trained,) if self.trained else ()))
        return measured[-1].accuracy if measured else None

    @property
    def entered_at(self) -> datetime:
        """When the project entered its present stage."""
        return self.stage_history[-1].entered_at if self.stage_history else self.created_at

    @property
    def stage_number(self) -> int:
        """How many stages it has entered."""
        return len(self.stage_history)

    @property
    def reporting_stage(self) -> str:
        """The present stage. A failed training still listens: a learner may know the cause."""
        return (self.stopped_in or "") if self.stage is Stage.FAILED else self.stage

    @property
    def build_note(self) -> str:
        """The name of the note in which its builder records what it built."""
        match self.stage:
            case Stage.BUILDING_ACTORS:
                return actors_note(self.id)
            case Stage.BUILDING_MODEL if self.trained is not None:
                return model_note(self.id, self.trained.run_id)
            case _:
                return ""

    def entered(self, stage: Stage | MockStage, now: datetime) -> Self:
        """Return the project in another stage, which is added to its history."""
        stage = Stage(stage)
        return replace(
            super().entered(stage, now),
            stage_history=(*self.stage_history, StageEntry(stage, now)),
            stopped_in=Stage(self.stage) if stage in {Stage.FAILED, Stage.CANCELLED} else None,
        )

    def without_details(self) -> Self:
        """Return a smaller project, for when the whole one is too large to be stored."""
        return replace(super().without_details(), rounds=(), cluster_rounds=())

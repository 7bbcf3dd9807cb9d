"""A simulated training: what the services do, from the first parameters to the best round."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from flwr.app import Message

from flops_aggregator.checkpoints.best_model import BestModel
from flops_aggregator.checkpoints.files import Checkpoint
from flops_aggregator.errors import TooFewLearnersError
from flops_aggregator.rounds.cluster import Cluster
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.progress import RoundWatch
from flops_aggregator.rounds.training import train
from flops_contracts.events import RoundCompleted, RoundStarted
from flops_contracts.orders import TrainOrder
from flops_contracts.sla import Parametrised, ProjectSla
from flops_grid.client.app import run_app
from flops_grid.messages.flower_internals import take_identity
from flops_grid.server.grid import StreamGrid
from flops_grid.user_model import load_user_model
from flops_simulator import generators
from flops_simulator.grid import ClustersGrid, LearnersGrid
from flops_simulator.plan import Plan
from flops_simulator.workers import Workers

LOAD_SECONDS: Final = 1800.0

Tell = Callable[[str, dict[str, Any]], None]
"""Called with a kind of news, and what there is to know of it."""


@dataclass(frozen=True)
class Outcome:
    """The best round, and what the learners cost: seconds in all, bytes of memory in all."""

    best: BestModel
    learners: int
    load_seconds: float
    train_seconds: float
    memory_bytes: int


class _Watch:
    """Reports rounds and notices; those of a cluster with its name."""

    def __init__(self, tell: Tell, cluster: str = "") -> None:
        self._tell = tell
        self._cluster = cluster

    def round_started(self, started: RoundStarted) -> None:
        """Report it."""
        document = {"round": started.round, "rounds": started.rounds, "cycle": started.cycle}
        self._tell("round_started", {**document, "cluster": self._cluster})

    def round_completed(self, completed: RoundCompleted) -> None:
        """Report its metrics."""
        document = {
            "cluster": self._cluster,
            "cycle": completed.cycle,
            "round": completed.round,
            "rounds": completed.rounds,
            "loss": completed.loss,
            "accuracy": completed.accuracy,
            "seconds": completed.seconds,
            **completed.metrics,
        }
        self._tell("round_completed", document)

    def waits(self, reason: str) -> None:
        """Report it as a notice: no other client will come."""
        self._tell("notice", {"message": reason})

    def noticed(self, message: str) -> None:
        """Report it."""
        self._tell("notice", {"message": message})


class _Notices:
    """Reports the notices of learners; one that several have is reported for the first of them."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told: set[str] = set()

    def noticed(self, number: int, text: str) -> None:
        """Report it unless it was."""
        if text not in self._told:
            self._told.add(text)
            self._tell("notice", {"message": f"learner {number + 1}: {text}"})


class _NullBook:
    """A simulation starts from round 1 each time: it stores no checkpoints and no runs."""

    def __init__(self) -> None:
        self._releases = 0

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return none."""
        return None

    def save_soon(self, checkpoint: Checkpoint) -> None:
        """Keep nothing."""

    def releases(self) -> int:
        """Return how many private results there were."""
        return self._releases

    def note_releases(self, count: int) -> None:
        """Remember them."""
        self._releases = count

    def nest_in(self, parent_run_id: str) -> None:
        """Do nothing."""

    def run_id(self) -> str:
        """Return none."""
        return ""


class _SimulatedCluster:
    """A cluster's aggregator over some of the learners."""

    def __init__(
        self, training: TrainOrder, name: str, grid: LearnersGrid, watch: RoundWatch
    ) -> None:
        self._app = Cluster(training, name, cast(StreamGrid, grid), watch, _NullBook()).client_app()

    def answer(self, message: Message) -> Message:
        """Return the reply to the root."""
        return run_app(self._app, message)


def simulate(plan: Plan, tell: Tell) -> Outcome:
    """Train as ``plan`` says, telling every round; raise ``FlopsError``."""
    take_identity()
    generators.seed(plan.seed)
    model = load_user_model()
    began = time.monotonic()
    data = list(plan.learners.values())
    noticed = _Notices(tell).noticed
    with Workers(data, plan.processes, plan.sla.privacy, plan.seed, noticed) as workers:
        failed = workers.load(LOAD_SECONDS)
        names = {name: n for n, name in enumerate(plan.learners) if n not in failed}
        for number, error in failed.items():
            tell("notice", {"message": f"learner {number + 1} cannot begin: {error}"})
        if not names:
            raise TooFewLearnersError(f"no learner can begin: {next(iter(failed.values()))}")
        loaded = time.monotonic()
        training = training_of(plan.sla, len(plan.data) // (plan.clusters or 1))
        grid: LearnersGrid | ClustersGrid = LearnersGrid(workers, names)
        if plan.clusters:
            grid = _clusters(plan, training, names, workers, tell)
            training = _root_of(plan, training)
        best = train(
            training,
            model,
            cast(StreamGrid, grid),
            _Watch(tell),
            Place(),
            _NullBook(),
            lambda message: tell("progress", {"message": message}),
        )
        return Outcome(
            best,
            len(names),
            loaded - began,
            time.monotonic() - loaded,
            workers.memory_bytes(),
        )


def training_of(sla: ProjectSla, learners: int) -> TrainOrder:
    """Return the settings of an aggregator of learners, as a manager tells them."""
    training = sla.training_configuration
    return TrainOrder(
        rounds=training.training_rounds,
        clients=learners,
        min_available=training.min_available_clients,
        min_fit=training.min_fit_clients,
        min_evaluate=training.min_evaluate_clients,
        strategy=Parametrised(sla.strategy.name, sla.strategy.parameters),
        round_timeout_seconds=sla.round_timeout_seconds,
        join_timeout_seconds=1.0,
        settle_seconds=0.0,
        return_timeout_seconds=1.0,
        take_first=training.take_first_clients,
        compression=training.compression,
        best_by=sla.strategy.best_by,
        privacy=sla.privacy,
    )


def _root_of(plan: Plan, below: TrainOrder) -> TrainOrder:
    """Return the settings of the root over clusters."""
    minimum = plan.sla.training_configuration.min_clusters
    return replace(
        below,
        rounds=plan.sla.training_configuration.training_cycles,
        clients=plan.clusters,
        min_available=minimum,
        min_fit=minimum,
        min_evaluate=minimum,
        strategy=Parametrised("FedAvg"),
        round_timeout_seconds=plan.sla.cycle_timeout_seconds,
        take_first=0,
        leads_clusters=True,
    )


def _clusters(
    plan: Plan, training: TrainOrder, names: dict[str, int], workers: Workers, tell: Tell
) -> ClustersGrid:
    """Return the grid of the root: learners are dealt out to clusters, one each in turn."""
    digits = len(str(plan.clusters))
    clusters = {}
    for index in range(plan.clusters):
        name = f"cluster{index + 1:0{digits}}"
        own = {learner: n for learner, n in names.items() if n % plan.clusters == index}
        if not own:
            tell("notice", {"message": f"{name} has no learner that can begin"})
            continue
        watch = _Watch(tell, name)
        clusters[name] = _SimulatedCluster(training, name, LearnersGrid(workers, own), watch)
    return ClustersGrid(clusters, workers)

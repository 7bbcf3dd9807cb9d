"""Wires the aggregator, and runs it from its first step to its result."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from flops_aggregator.metrics import count_traffic
from flops_aggregator.rounds.cluster import Cluster
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.training import gather, train
from flops_aggregator.settings import PORT_SETTING, ParentSettings, Settings
from flops_aggregator.tracking.mlflow_tracking import MlflowTracking
from flops_aggregator.tracking.nested_tracking import NestedTracking
from flops_aggregator.tracking.run_finder import PROJECT_TAG, ROOT_TAG
from flops_aggregator.watch import Watch
from flops_contracts.events import Finished, Kind, Trained
from flops_contracts.orders import TrainOrder
from flops_grid.client.link import Link, Peer
from flops_grid.messages.flower_internals import route_logs
from flops_grid.server.grid import StreamGrid
from flops_grid.server.traffic import Traffic
from flops_grid.user_model import load_user_model
from flops_grid.wire.settings import GridSettings, LinkSettings
from flops_runtime import tracing
from flops_runtime.listening import listening_on
from flops_runtime.reporting import Reporter

logger = logging.getLogger(__name__)


def aggregate(settings: Settings, reporter: Reporter) -> tuple[Kind, Trained | Finished]:
    """Lead the training, or serve a parent that does; return the result."""
    route_logs()
    if settings.parent:
        return Kind.FINISHED, serve_parent(settings, settings.parent, reporter)
    return Kind.TRAINED, lead(settings, reporter)


def lead(settings: Settings, reporter: Reporter) -> Trained:
    """Listen, wait for the clients, run the rounds, publish the best model, return the result."""
    training = settings.training
    tracking = MlflowTracking(settings.tracking, reporter.notice)
    watch = Watch(reporter, tracking, training.clients)
    with closing(tracking):
        with _grid(settings, watch) as grid:
            # Learners may connect while mlflow and the model's library are still being imported.
            tags = {**_tags(settings), ROOT_TAG: "yes"}
            tracking.start(settings.actor.subject_id, _parameters(training), tags)
            reporter.progress("loading the model")
            model = load_user_model()
            if trained := tracking.published():
                logger.info("the model is published already")
                return trained
            reporter.status.ready()
            place = Place(run_id=tracking.run_id)
            best = train(training, model, grid, watch, place, tracking, reporter.progress)
        reporter.progress("storing the best model")
        with tracing.span("store the best model"):
            return tracking.publish(best)


def serve_parent(settings: Settings, parent: ParentSettings, reporter: Reporter) -> Finished:
    """Wait for the clients, then join the parent and reply to it until it says goodbye.

    Only a cluster that can train joins, so that its parent need not wait for it in a cycle.
    """
    training, actor = settings.training, settings.actor.actor
    with closing(MlflowTracking(settings.tracking, reporter.notice)) as tracking:
        runs = NestedTracking(
            tracking, actor.instance, actor.cluster, _parameters(training), _tags(settings)
        )
        watch = Watch(reporter, runs, training.clients)
        with _grid(settings, watch) as grid:
            tracking.prepare()
            reporter.progress("waiting for learners")
            gather(training, grid)
            reporter.progress("joining the parent")
            cluster = Cluster(training, actor.cluster, grid, watch, runs)
            link = Link(
                Peer(
                    parent.address,
                    actor.instance,
                    parent.token,
                    settings.tls.channel_credentials(),
                    aggregates=True,
                    tls_name=settings.tls.name,
                ),
                LinkSettings(unreachable_seconds=parent.timeout_seconds),
                news=cluster.call_off_if_superseded,
            )
            reporter.status.ready()
            ended = cluster.serve(link)
            logger.info("the parent said goodbye %s", ended.reason)
            grid.close(ended.reason)
        runs.finish(reporter.notice)
        return Finished(cluster.rounds, cluster.samples)


@contextmanager
def _grid(settings: Settings, watch: Watch) -> Iterator[StreamGrid]:
    """Provide a grid that listens; raise ``PortTakenError``."""
    host, port = address = (settings.actor.process.bind_address, settings.port)
    grid = StreamGrid(
        f"{host}:{port}",
        settings.access.token,
        GridSettings.for_learners(settings.training.clients),
        watch=watch.presence_changed,
        credentials=settings.tls.server_credentials(),
        traffic=Traffic(count_traffic),
    )
    with ExitStack() as stack:
        with listening_on(address, PORT_SETTING):
            stack.enter_context(grid)
        yield grid


def _parameters(training: TrainOrder) -> dict[str, Any]:
    return {
        "rounds": training.rounds,
        "learners": training.clients,
        "min_available_clients": training.min_available,
        "min_fit_clients": training.min_fit,
        "min_evaluate_clients": training.min_evaluate,
        "compression": str(training.compression),
        "strategy": training.strategy.name,
        "best_by": f"{training.best_by.metric} {training.best_by.direction}",
        **{f"strategy.{key}": value for key, value in training.strategy.parameters.items()},
    }


def _tags(settings: Settings) -> dict[str, str]:
    tracking = settings.tracking
    return {
        PROJECT_TAG: settings.actor.subject_id,
        "flops.ml_repo_url": tracking.ml_repo_url,
        "flops.commit": tracking.commit,
        "flops.flavor": tracking.flavor.value,
    }

"""Aggregators as MLflow sees them, each in a process of its own: its client keeps global state."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from flops_aggregator.settings import TrackingSettings
from flops_aggregator.tracking.mlflow_server import MlflowServer
from flops_aggregator.tracking.publishing import BestModel, Publishing
from flops_contracts.sla import Flavor

TOGETHER_SECONDS = 60
_process = {}


def publishers(url, number):
    """A pool in which ``number`` calls of ``publish`` begin at the same moment."""
    context = get_context("forkserver")
    # Imports only; each process connects by itself.
    context.set_forkserver_preload([__name__, "mlflow.sklearn", "sklearn.linear_model"])
    together = context.Barrier(number)
    return ProcessPoolExecutor(number, context, initializer=_connect, initargs=(url, together))


def publish(model_name):
    """Publish a small model from a run of its own; return what became of it."""
    from sklearn.linear_model import LinearRegression  # noqa: PLC0415 - takes a second

    server, together = _process["server"], _process["together"]
    experiment_id = server.client.create_experiment(f"{model_name} of {os.getpid()}")
    run = server.client.create_run(experiment_id)
    settings = TrackingSettings(
        url=_process["url"],
        experiment="project",
        model_name=model_name,
        flavor=Flavor.SKLEARN,
        ml_repo_url="file:///r",
        commit="c0ffee",
    )
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    best = BestModel(model, round=1, rounds=1, loss=0.1, accuracy=0.9)
    together.wait(TOGETHER_SECONDS)
    return Publishing(server, settings, experiment_id, run.info.run_id).publish(best)


def _connect(url, together):
    server = MlflowServer(url, 60.0)
    server.connect()
    _process.update(url=url, server=server, together=together)

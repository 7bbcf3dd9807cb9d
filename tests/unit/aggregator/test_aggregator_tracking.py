"""A tracking server that is away is named as such, whenever it goes."""

import pytest

from flops_aggregator.checkpoints.best_model import BestModel
from flops_aggregator.errors import TrackingUnreachableError
from flops_aggregator.settings import TrackingSettings
from flops_aggregator.tracking.mlflow_tracking import MlflowTracking
from flops_contracts.sla import Flavor


class VanishedServer:
    """A client whose server went away after the run was opened."""

    def get_run(self, run_id):
        raise ConnectionRefusedError("nobody listens")


def test_a_server_that_is_away_when_the_model_is_stored_is_waited_for_and_then_named():
    settings = TrackingSettings(
        url="http://127.0.0.1:9",
        experiment="project",
        model_name="model",
        flavor=Flavor.SKLEARN,
        ml_repo_url="file:///r",
        commit="c0ffee",
        connect_timeout_seconds=0.2,
    )
    tracking = MlflowTracking(settings)
    tracking._server.client = VanishedServer()

    with pytest.raises(TrackingUnreachableError, match="nobody listens"):
        tracking.publish(BestModel(object(), round=1, rounds=1, loss=0.1, accuracy=0.9))

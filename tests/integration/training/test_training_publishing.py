"""Projects that end at the same moment, with versions of one model: each gets its own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from flops_aggregator.mlflow_server import MlflowServer
from flops_aggregator.publishing import ALIAS, BestModel, Publishing
from flops_aggregator.settings import TrackingSettings
from flops_contracts.sla import Flavor
from support.tracking_server import IS_MISSING, running_tracking_server

mlflow = pytest.importorskip("mlflow")
linear = pytest.importorskip("sklearn.linear_model")

pytestmark = IS_MISSING

PROJECTS = 6
MODELS = 3


class Publisher:
    """One project's aggregator, as far as MLflow sees it."""

    def __init__(self, url, number):
        self._server = MlflowServer(url, 60.0)
        self._server.connect()
        self._url = url
        self._experiment_id = self._server.client.create_experiment(f"project {number}")

    def publish(self, model_name, begin):
        run = self._server.client.create_run(self._experiment_id)
        settings = TrackingSettings(
            url=self._url,
            experiment="project",
            model_name=model_name,
            flavor=Flavor.SKLEARN,
            ml_repo_url="file:///r",
            commit="c0ffee",
        )
        publishing = Publishing(self._server, settings, self._experiment_id, run.info.run_id)
        model = linear.LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
        begin.wait(60)
        return publishing.publish(BestModel(model, round=1, rounds=1, loss=0.1, accuracy=0.9))


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with running_tracking_server(tmp_path) as running:
        yield f"http://{running.address}:7027"


@pytest.mark.timeout(240)
def test_projects_that_end_at_once_each_have_a_version_of_the_model(url):
    publishers = [Publisher(url, number) for number in range(PROJECTS)]
    client = mlflow.MlflowClient(url, registry_uri=url)

    with ThreadPoolExecutor(PROJECTS) as pool:
        for name in (f"model-{number}" for number in range(MODELS)):
            begin = Barrier(PROJECTS)
            ends = [pool.submit(one.publish, name, begin) for one in publishers]
            trained = [one.result(120) for one in ends]

            versions = {one.model_version for one in trained}
            assert versions == {str(1 + number) for number in range(PROJECTS)}
            champion = client.get_model_version_by_alias(name, ALIAS)
            assert champion.run_id in {one.run_id for one in trained}

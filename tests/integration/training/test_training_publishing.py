"""Projects that end at the same moment, with versions of one model: each gets its own."""

import pytest

from flops_aggregator.tracking.publishing import ALIAS
from support.publishers import publish, publishers
from support.tracking_server import IS_MISSING, running_tracking_server

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sklearn")

pytestmark = IS_MISSING

PROJECTS = 4
MODELS = 2


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # One that somebody else's code has set; nobody is there.
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:9")
    with running_tracking_server(tmp_path) as running:
        yield f"http://{running.address}:7027"


def test_projects_that_end_at_once_each_have_a_version_of_the_model(url):
    client = mlflow.MlflowClient(url, registry_uri=url)

    with publishers(url, PROJECTS) as pool:
        for name in (f"model-{number}" for number in range(MODELS)):
            trained = list(pool.map(publish, [name] * PROJECTS, timeout=120))

            versions = {item.model_version for item in trained}
            assert versions == {str(1 + number) for number in range(PROJECTS)}
            champion = client.get_model_version_by_alias(name, ALIAS)
            assert champion.run_id in {item.run_id for item in trained}

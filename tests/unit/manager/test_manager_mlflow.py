"""The manager's requests to MLflow when a project is deleted with its runs."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flops_manager.adapters.mlflow import MlflowRuns
from flops_manager.domain.errors import TrackingUnavailableError
from support.broker import free_port
from support.manager_core import TRAINED

FOUND = {"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}
GONE = {"experiment": {"experiment_id": "7", "lifecycle_stage": "deleted"}}


@contextmanager
def an_mlflow(experiment):
    """Serve ``experiment``, or 404 where it is None; yield the URL and the requests for changes."""
    requests = []

    class Answers(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command != "GET":
                requests.append(
                    (self.command, self.path.rpartition("mlflow/")[2], json.loads(body))
                )
            is_missing = experiment is None
            data = json.dumps({} if is_missing else experiment).encode()
            self.send_response(404 if is_missing else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the library's names

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", requests
        finally:
            server.shutdown()
            thread.join(300)


def test_the_experiment_and_the_version_of_the_model_are_deleted():
    with an_mlflow(FOUND) as (url, requests):
        MlflowRuns().forget(url, "mnist-p1", TRAINED)

    assert requests == [
        ("DELETE", "model-versions/delete", {"name": "m", "version": "1"}),
        ("POST", "experiments/delete", {"experiment_id": "7"}),
    ]


@pytest.mark.parametrize("experiment", [None, GONE])
def test_what_is_gone_already_is_fine(experiment):
    with an_mlflow(experiment) as (url, requests):
        MlflowRuns().forget(url, "mnist-p1", None)

    assert requests == []


def test_a_server_that_is_away_is_said_to_be():
    with pytest.raises(TrackingUnavailableError, match="failed at"):
        MlflowRuns().forget(f"http://127.0.0.1:{free_port()}", "mnist-p1", None)

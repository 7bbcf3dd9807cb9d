"""Requests for predictions: answers are JSON, errors are sentences."""

import asyncio
import json
import socket
from types import SimpleNamespace

import numpy as np
import pytest

from flops_model_server.invocations import Invocations
from flops_model_server.serving import listening
from flops_model_server.settings import Settings
from flops_runtime.environment import read

NO_SCHEMA = SimpleNamespace(get_input_schema=lambda: None, get_params_schema=lambda: None)


class Model:
    """A model that answers by a function."""

    metadata = NO_SCHEMA

    def __init__(self, function):
        self._function = function

    def predict(self, data):
        return self._function(data)


def identity(data):
    return data


def answer(function, body, content_type="application/json"):
    """Return the status of an answer, and its document as a strict parser reads it."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    given = Invocations(None, Model(function)).answer(body, content_type)
    return given.status, json.loads(given.text, parse_constant=pytest.fail)


def test_predictions_are_those_of_the_model():
    assert answer(identity, {"inputs": [[1.0, 2.0]]}) == (200, {"predictions": [[1.0, 2.0]]})


def test_numbers_that_json_does_not_have_become_null():
    def odd(_data):
        return np.array([[1.5, np.nan], [np.inf, -np.inf]])

    assert answer(odd, {"inputs": [1]}) == (200, {"predictions": [[1.5, None], [None, None]]})


def test_a_text_that_looks_like_such_a_number_stays():
    assert answer(lambda _: ["NaN", "is Infinity"], {"inputs": [1]})[1] == {
        "predictions": ["NaN", "is Infinity"]
    }


def test_an_error_of_the_model_is_a_sentence_and_its_traceback_is_in_the_log(caplog):
    def fails(_data):
        raise ValueError("X has 3 features, see /flops/code/model_manager.py\nand more")

    status, document = answer(fails, {"inputs": [[1, 2, 3]]})

    assert status == 400
    sentence = "The model cannot predict from this input: ValueError: X has 3 features, see "
    assert document["message"].startswith(f"{sentence}model_manager.py (")
    assert set(document) == {"error_code", "message"}
    reference = document["message"].rpartition("(")[2].partition(" ")[0]
    assert reference in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b"{", "valid JSON"),
        (b"\xff\xfe", "valid JSON"),
        (b"", "valid JSON"),
        (b"[1, 2]", "exactly one of the input fields"),
        (b'{"nonsense": 1}', "exactly one of the input fields"),
        (b'{"dataframe_split": 5}', "format must be a dictionary"),
        (b'{"inputs": [1], "instances": [1]}', "exactly one of the input fields"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_in_a_sentence(body, words):
    status, document = answer(identity, body)

    assert status == 400
    assert words in document["message"]
    assert "\n" not in document["message"]
    assert len(document["message"]) < 600


@pytest.mark.parametrize("content_type", ["text/csv", "application/vnd.apache.parquet"])
def test_files_that_cannot_be_read_are_refused_without_a_path(content_type):
    status, document = answer(identity, b"\xff\x00", content_type)

    assert status == 400
    assert "/" not in document["message"].replace("pandas.DataFrame", "")


def test_a_request_without_content_type_is_told_which_there_are():
    status, document = answer(identity, {"inputs": [1]}, "")

    assert status == 415
    assert "application/json" in document["message"]


def test_requests_for_other_paths_go_to_mlflow():
    requests = []

    async def application(scope, _receive, _send):
        requests.append((scope["method"], scope["path"]))

    server = Invocations(application, Model(identity))
    for method, path in (("GET", "/ping"), ("GET", "/invocations"), ("POST", "/version")):
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        asyncio.run(server(scope, None, None))

    assert requests == [("GET", "/ping"), ("GET", "/invocations"), ("POST", "/version")]


def test_a_body_in_several_parts_is_put_together():
    parts = [
        {"type": "http.request", "body": b'{"inputs"', "more_body": True},
        {"type": "http.request", "body": b": [1]}"},
    ]
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json; charset=utf-8")]
    scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": headers}
    asyncio.run(Invocations(None, Model(identity))(scope, receive, send))

    assert (sent[0]["status"], sent[1]["body"]) == (200, b'{"predictions": [1]}')


def test_small_answers_are_not_held_back_until_the_client_acknowledges_others(tmp_path):
    variables = {
        "FLOPS_MODEL_PATH": str(tmp_path),
        "FLOPS_MODEL_PORT": "0",
        "FLOPS_BIND_ADDRESS": "127.0.0.1",
        "FLOPS_INSTANCE": "mdlx1",
        "FLOPS_STAGE": "serving",
        "FLOPS_PROJECT_ID": "p1",
        "FLOPS_MQTT_URL": "mqtt://127.0.0.1:1",
    }
    with (
        listening(read(Settings, variables)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

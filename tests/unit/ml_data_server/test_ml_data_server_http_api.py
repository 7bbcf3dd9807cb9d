import json
from http import HTTPStatus

import pytest

from flops_ml_data_server.access.audit import Audit
from flops_ml_data_server.access.callers import Doorkeeper
from flops_ml_data_server.access.rules import Rulebook
from flops_ml_data_server.serving.http_api import HttpApi
from flops_ml_data_server.storage.volume import Volume
from flops_ml_data_server.store import Store
from flops_runtime.status import Request

INSIDE, OUTSIDE = "127.0.0.1", "172.17.0.9"


@pytest.fixture
def store(tmp_path):
    volume = Volume(tmp_path)
    volume.open()
    yield Store(volume, Rulebook(tmp_path), Audit(tmp_path))
    volume.close()


def answer_to(store, method, path, peer=OUTSIDE, keeper=None, *, is_local_only=False, **headers):
    api = HttpApi(store, keeper or Doorkeeper(), is_local_only=is_local_only)
    body = json.dumps({"owner": "alice"}).encode()
    return api.page(Request(method, path, {}, headers, body, peer))


def test_a_caller_from_outside_is_not_the_operator(store):
    assert answer_to(store, "PUT", "/api/tags/x/rules")[0] == HTTPStatus.FORBIDDEN
    assert answer_to(store, "GET", "/api/audit")[0] == HTTPStatus.FORBIDDEN


def test_without_a_token_a_caller_from_inside_is_the_operator(store):
    assert answer_to(store, "PUT", "/api/tags/x/rules", INSIDE)[0] == HTTPStatus.OK
    assert answer_to(store, "GET", "/api/audit", INSIDE)[0] == HTTPStatus.OK


def test_a_configured_token_is_required_from_inside_too(store):
    keeper = Doorkeeper("hush")

    assert answer_to(store, "GET", "/api/stats", INSIDE, keeper)[0] == HTTPStatus.UNAUTHORIZED
    answer = answer_to(store, "GET", "/api/stats", OUTSIDE, keeper, authorization="Bearer hush")
    assert answer[0] == HTTPStatus.OK


def test_with_tls_on_nobody_is_answered_in_the_clear_over_the_network(store):
    assert answer_to(store, "GET", "/api/stats", is_local_only=True)[0] == HTTPStatus.FORBIDDEN
    assert answer_to(store, "GET", "/api/stats", INSIDE, is_local_only=True)[0] == HTTPStatus.OK


def test_pages_that_are_not_there_are_left_to_the_status_api(store):
    assert answer_to(store, "GET", "/api/nothing") is None
    assert answer_to(store, "PUT", "/api/stats") is None

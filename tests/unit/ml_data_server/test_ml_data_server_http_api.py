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


def asked(store, method, path, peer=OUTSIDE, keeper=None, *, is_local_only=False, **headers):
    api = HttpApi(store, keeper or Doorkeeper(), is_local_only=is_local_only)
    body = json.dumps({"owner": "alice"}).encode()
    return api.page(Request(method, path, {}, headers, body, peer))


def test_who_asks_from_outside_is_no_operator(store):
    assert asked(store, "PUT", "/api/tags/x/rules")[0] == HTTPStatus.FORBIDDEN
    assert asked(store, "GET", "/api/audit")[0] == HTTPStatus.FORBIDDEN


def test_who_asks_from_inside_is_the_operator_where_there_is_no_token(store):
    assert asked(store, "PUT", "/api/tags/x/rules", INSIDE)[0] == HTTPStatus.OK
    assert asked(store, "GET", "/api/audit", INSIDE)[0] == HTTPStatus.OK


def test_a_token_is_wanted_where_there_is_one_also_from_inside(store):
    keeper = Doorkeeper("hush")

    assert asked(store, "GET", "/api/stats", INSIDE, keeper)[0] == HTTPStatus.UNAUTHORIZED
    told = asked(store, "GET", "/api/stats", OUTSIDE, keeper, authorization="Bearer hush")
    assert told[0] == HTTPStatus.OK


def test_with_tls_on_nobody_is_answered_in_the_clear_over_the_network(store):
    assert asked(store, "GET", "/api/stats", is_local_only=True)[0] == HTTPStatus.FORBIDDEN
    assert asked(store, "GET", "/api/stats", INSIDE, is_local_only=True)[0] == HTTPStatus.OK


def test_pages_that_are_not_there_are_left_to_the_status_api(store):
    assert asked(store, "GET", "/api/nothing") is None
    assert asked(store, "PUT", "/api/stats") is None

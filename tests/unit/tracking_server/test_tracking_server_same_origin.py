"""Which requests a tracking server answers, at whatever address it is reached."""

import asyncio

import pytest

from flops_tracking_server.same_origin import SameOrigin, is_own_host

NAMES = {"localhost", "flops.example"}
OURS = "192.0.2.7:21003"


async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"MLflow"})


def answered(method, **headers):
    """Return status, headers and text of the answer to a request."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/ajax-api/2.0/mlflow/runs/search",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(SameOrigin(application, NAMES)(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"].decode()


@pytest.mark.parametrize(
    "host",
    [
        "localhost:7027",
        "127.0.0.1",
        "127.30.200.3:7027",
        "10.30.1.250:7027",
        OURS,
        "[2001:db8::7]:21003",
        "FLOps.example:80",
    ],
)
def test_addresses_and_given_names_are_answered(host):
    assert is_own_host(host, NAMES)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "10.30.evil.example:7027", "10.30.1.2.evil:7027", "", "[::1", "1.2.3.4@evil"],
)
def test_other_names_are_not(host):
    assert not is_own_host(host, NAMES)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("host", [OURS, "flops.example:7027"])
def test_its_own_pages_may_do_everything(method, host):
    status, headers, text = answered(method, host=host, origin=f"http://{host}")

    assert (status, text) == (200, "MLflow")
    assert headers[b"x-frame-options"] == b"SAMEORIGIN"


def test_clients_without_a_page_may_do_everything():
    assert answered("POST", host=OURS)[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://192.0.2.7:8080", "null"])
def test_pages_of_others_may_not_change_anything(origin):
    status, _, text = answered("POST", host=OURS, origin=origin)

    assert status == 403
    assert origin in text
    assert answered("GET", host=OURS, origin=origin)[0] == 200


def test_a_name_that_is_not_answered_says_what_to_set():
    status, _, text = answered("GET", host="mlflow.example")

    assert status == 403
    assert "'mlflow.example'" in text
    assert "FLOPS_TRACKING_ALLOWED_HOSTS" in text

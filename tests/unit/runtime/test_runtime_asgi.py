"""An application that is watched answers as before, and each answer is reported."""

import asyncio

import pytest

from flops_runtime.asgi import Watched


def ask(application, kind="http"):
    """Send a request; return what was sent back."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    asyncio.run(application({"type": kind, "method": "GET", "path": "/"}, receive, send))
    return sent


async def teapot(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"short"})


async def broken(_scope, _receive, _send):
    raise RuntimeError("broken")


@pytest.fixture
def requests():
    return []


def watched(application, requests):
    return Watched(
        application, lambda scope, status, _seconds: requests.append((scope["path"], status))
    )


def test_the_answer_passes_unchanged(requests):
    assert ask(watched(teapot, requests)) == ask(teapot)


def test_the_status_is_reported(requests):
    ask(watched(teapot, requests))

    assert requests == [("/", 418)]


def test_an_application_that_raises_is_reported_as_an_error(requests):
    with pytest.raises(RuntimeError, match="broken"):
        ask(watched(broken, requests))

    assert requests == [("/", 500)]


def test_only_requests_are_reported(requests):
    ask(watched(teapot, requests), kind="lifespan")

    assert requests == []

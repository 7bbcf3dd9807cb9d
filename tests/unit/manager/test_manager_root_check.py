"""Readiness includes the root: bounded, seldom asked, and with a sentence about what is wrong."""

import pytest
import requests

from flops_manager.adapters.oakestra_session import (
    PROBE_TIMEOUT_SECONDS,
    Account,
    OakestraSession,
)
from flops_manager.domain import errors as domain
from flops_manager.usecases.root_check import KEPT_SECONDS, RootCheck
from support.manager_api import BreakableRoot, World
from support.scripted_root import ROOT, Reply, ScriptedRoot

ACTIVE = "GET /api/clusters/active"


def session_over(script, password="of the root", kind=ScriptedRoot):  # noqa: S107 - only here
    root = kind(script)
    account = Account("Admin", password)
    session = OakestraSession(ROOT, account, timeout_seconds=PROBE_TIMEOUT_SECONDS)
    session._http.mount("http://", root)
    return session, root


@pytest.fixture
def world():
    return World()


@pytest.fixture
def client(world):
    return world.api().test_client()


@pytest.mark.parametrize(
    "error",
    [
        domain.OrchestratorUnavailableError("The root is away.", hint="Look."),
        domain.OrchestratorRefusedError("The root is away.", hint="Look."),
    ],
    ids=["unreachable", "refused"],
)
def test_a_manager_whose_root_cannot_be_used_is_not_ready(world, client, error):
    world.root.error = error

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["message"]) == (503, "The root is away. Look.")


def test_it_lives_all_the_same(world, client):
    world.root.error = domain.OrchestratorUnavailableError("The root is away.")

    assert client.get("/healthz").status_code == 200


def test_it_is_ready_with_database_and_root(client):
    assert client.get("/readyz").status_code == 200


def test_many_probes_are_one_question_to_the_root():
    root, now = BreakableRoot(), [100.0]
    check = RootCheck(root, lambda: now[0])
    root.error = domain.OrchestratorUnavailableError("away")
    for _ in range(5):
        with pytest.raises(domain.OrchestratorUnavailableError):
            check.require()
    calls_at_first = root.asked

    root.error = None
    now[0] += KEPT_SECONDS
    check.require()

    assert (calls_at_first, root.asked) == (1, 2)


def test_a_root_that_accepts_the_login_passes():
    session, root = session_over({ACTIVE: Reply([])})

    session.check()

    assert root.asked["POST /api/auth/login"] == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"POST /api/auth/login": requests.ConnectionError()}, "cannot be reached"),
        ({"POST /api/auth/login": requests.ReadTimeout()}, "does not answer in time"),
        ({"POST /api/auth/login": Reply({}, 401)}, "refuses the user 'Admin'"),
        ({ACTIVE: Reply({}, 500)}, "failed with 500"),
    ],
    ids=["down", "slow", "wrong password", "broken"],
)
def test_a_root_that_cannot_be_used_is_asked_once_and_explained(script, words):
    session, root = session_over(script)

    with pytest.raises(
        (domain.OrchestratorUnavailableError, domain.OrchestratorRefusedError), match=words
    ):
        session.check()

    assert sum(root.asked.values()) <= 2


def test_without_a_password_the_root_is_not_asked_and_the_setting_is_named():
    session, root = session_over({}, password="")

    with pytest.raises(domain.OrchestratorRefusedError, match=r"no password .* 'Admin'") as caught:
        session.check()

    assert "FLOPS_OAKESTRA_PASSWORD" in caught.value.hint
    assert not root.asked


class TimedRoot(ScriptedRoot):
    """Remembers how long callers would wait."""

    def __init__(self, replies):
        super().__init__(replies)
        self.waits = []

    def send(self, request, *, timeout, **more):
        self.waits.append(timeout)
        return super().send(request, **more)


def test_a_probe_waits_a_few_seconds_at_most():
    session, root = session_over({ACTIVE: Reply([])}, kind=TimedRoot)

    session.check()

    assert set(root.waits) == {PROBE_TIMEOUT_SECONDS}

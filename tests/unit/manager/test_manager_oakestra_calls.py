"""The manager's calls to a root that fails: errors, nulls, retries, tokens."""

import pytest
import requests

from flops_manager.domain.errors import OrchestratorRefusedError, OrchestratorUnavailableError
from flops_manager.domain.states import Health
from support.scripted_root import (
    APP,
    APPLICATIONS,
    CREATE,
    LISTED,
    SERVICES,
    Reply,
    Scripted,
    a_deployment,
    a_service,
    twice,
    with_services,
)

# One clear error per class of failure.


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (requests.ConnectTimeout(), OrchestratorUnavailableError, "does not answer in time"),
        (requests.ReadTimeout(), OrchestratorUnavailableError, "does not answer in time"),
        (requests.ConnectionError(), OrchestratorUnavailableError, "cannot be reached"),
        (Reply({"code": 500}, 500), OrchestratorUnavailableError, "failed with 500"),
        (Reply({"code": 400}, 400), OrchestratorRefusedError, "refused .* with 400"),
        (Reply(b"<html>hello"), OrchestratorUnavailableError, "unexpected form"),
        (Reply("no json in here"), OrchestratorUnavailableError, "unexpected form"),
        (Reply({"a": "dictionary"}), OrchestratorUnavailableError, "unexpected form"),
        (Reply([1, 2]), OrchestratorUnavailableError, "unexpected form"),
    ],
    ids=["connect", "read", "down", "500", "400", "page", "text", "shape", "items"],
)
def test_each_failure_has_an_error_of_its_own_with_a_hint(reply, kind, words):
    root = Scripted({APPLICATIONS: LISTED, SERVICES: reply})

    with pytest.raises(kind, match=words) as caught:
        root.oakestra.states(APP)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"code": 401}, 401), "FLOPS_OAKESTRA_PASSWORD"),
        (Reply({"code": 500}, 500), "log of its system manager"),
        (Reply({"no": "token"}), "FLOPS_OAKESTRA_URL"),
    ],
    ids=["password", "broken", "another service"],
)
def test_a_login_that_fails_says_what_to_check(reply, words):
    root = Scripted({"POST /api/auth/login": reply})

    with pytest.raises((OrchestratorRefusedError, OrchestratorUnavailableError)) as caught:
        root.oakestra.states(APP)

    assert words in caught.value.hint


# What is null is nothing.


@pytest.mark.parametrize(
    "script",
    [
        {APPLICATIONS: Reply(None)},
        {APPLICATIONS: Reply("null")},
        {APPLICATIONS: LISTED, SERVICES: Reply(None)},
        {APPLICATIONS: LISTED, SERVICES: Reply({"code": 404}, 404)},
    ],
    ids=["applications", "applications in a string", "services", "no application"],
)
def test_null_and_not_found_mean_that_there_is_nothing(script):
    assert Scripted(script).oakestra.states(APP) == {}


def test_null_in_a_service_is_survived():
    root = with_services(a_service(instance_list=None, status=None, RR_ip=None))

    assert root.oakestra.states(APP)["svc1"].health is Health.WAITING


def test_a_user_that_is_null_is_said_to_be_missing():
    with pytest.raises(OrchestratorRefusedError, match="no user Admin"):
        Scripted({"GET /api/user/Admin": Reply(None)}).oakestra.states(APP)


# Trying again, within bounds.


def test_a_question_is_asked_again_while_the_root_is_broken():
    broken = Reply({"code": 503}, 503)
    root = Scripted({APPLICATIONS: LISTED, SERVICES: [broken, broken, twice([a_service()])]})

    assert list(root.oakestra.states(APP)) == ["svc1"]


def test_a_question_is_asked_three_times_at_most():
    root = Scripted({APPLICATIONS: LISTED, SERVICES: Reply({"code": 503}, 503)})

    with pytest.raises(OrchestratorUnavailableError):
        root.oakestra.states(APP)

    assert root.root.asked[SERVICES] == 3


def test_what_is_refused_is_not_asked_again():
    root = Scripted({APPLICATIONS: LISTED, SERVICES: Reply({"code": 400}, 400)})

    with pytest.raises(OrchestratorRefusedError):
        root.oakestra.states(APP)

    assert root.root.asked[SERVICES] == 1


def test_a_service_is_not_created_again_when_the_answer_is_lost():
    root = with_services(**{CREATE: requests.ReadTimeout()})

    with pytest.raises(OrchestratorUnavailableError):
        root.oakestra.deploy(a_deployment())

    assert root.root.asked[CREATE] == 1


# Tokens.


def test_one_login_serves_many_calls():
    root = with_services()

    root.oakestra.states(APP)
    root.oakestra.states(APP)

    assert root.root.asked["POST /api/auth/login"] == 1


def test_a_token_is_refreshed_a_minute_before_its_end():
    root = with_services()
    root.oakestra.states(APP)

    root.seconds = 541
    root.oakestra.states(APP)

    assert root.root.asked["POST /api/auth/refresh"] == 1
    assert root.root.tokens[-1] == f"Bearer {root.root.refreshed}"


def test_a_refused_refresh_leads_to_a_login():
    root = with_services(**{"POST /api/auth/refresh": Reply({"msg": "expired"}, 401)})
    root.oakestra.states(APP)

    root.seconds = 541
    root.oakestra.states(APP)

    assert root.root.asked["POST /api/auth/login"] == 2


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"msg": "Token has expired"}, 401),
        Reply({"message": "Missing authentication token"}, 401),
        Reply({"msg": "Signature verification failed"}, 422),
    ],
    ids=["expired", "terse", "another key"],
)
def test_a_token_that_is_no_longer_accepted_is_replaced_and_the_call_repeated(refusal):
    root = Scripted({APPLICATIONS: LISTED, SERVICES: [refusal, twice([a_service()])]})

    assert list(root.oakestra.states(APP)) == ["svc1"]


def test_tokens_that_are_never_accepted_do_not_cause_an_endless_loop():
    refusal = Reply({"message": "Missing authentication token"}, 401)
    root = Scripted({APPLICATIONS: LISTED, SERVICES: refusal})

    with pytest.raises(OrchestratorRefusedError, match="401"):
        root.oakestra.states(APP)

    assert root.root.asked[SERVICES] == 2


def test_a_descriptor_that_is_refused_is_not_taken_for_a_bad_token():
    refusal = Reply({"code": 422, "status": "Unprocessable Entity"}, 422)
    root = Scripted({APPLICATIONS: twice([]), "POST /api/application/": refusal})

    with pytest.raises(OrchestratorRefusedError, match="422"):
        root.oakestra.create_application(APP)

    assert root.root.asked["POST /api/application/"] == 1

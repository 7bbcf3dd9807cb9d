"""Identity at a root: logging in, tokens, roles."""

import jwt
import pytest

from support.conformance_root import Root, refused

EXPLAINED = ("/api/application/x", "/api/applications/x")
TERSE = ("/api/service/x", "/api/services/x", "/api/user/x", "/api/permission/x")


def claims_of(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def test_an_access_token_says_who_one_is_for_ten_minutes(root: Root):
    claims = claims_of(root.tokens["token"])

    assert jwt.get_unverified_header(root.tokens["token"])["alg"] == "RS256"
    assert (claims["sub"], claims["user"], claims["type"]) == (root.place.user,) * 2 + ("access",)
    assert claims["exp"] - claims["iat"] == 600
    assert isinstance(claims["roles"], list)


def test_the_key_endpoint_verifies_the_token(root: Root):
    key = root.reach(10011, "/key").json()["public_key"]

    assert jwt.decode(root.tokens["token"], key, algorithms=["RS256"])["sub"] == root.place.user


def test_a_wrong_password_is_unauthorized(root: Root):
    credentials = {"username": root.place.user, "password": "certainly wrong"}

    assert refused(root.ask("POST", "/api/auth/login", token="", json=credentials), 401)


def test_a_refresh_token_gives_an_access_token(root: Root):
    answer = root.ask("POST", "/api/auth/refresh", token=root.tokens["refresh_token"])

    assert claims_of(answer.json()["token"])["type"] == "access"


def test_an_access_token_refreshes_nothing(root: Root):
    answer = root.ask("POST", "/api/auth/refresh")

    assert (answer.status_code, list(answer.json())) == (422, ["msg"])


def test_the_permission_endpoint_returns_ones_own_roles(root: Root):
    answer = root.ask("GET", f"/api/permission/{root.place.user}")

    assert answer.json() == {"roles": claims_of(root.tokens["token"])["roles"]}


def test_the_permission_endpoint_returns_nothing_about_others(root: Root):
    answer = root.ask("GET", "/api/permission/nobody")

    assert (answer.status_code, list(answer.json())) == (403, ["message"])


@pytest.mark.parametrize("path", EXPLAINED)
def test_some_parts_explain_a_missing_token(root: Root, path: str):
    answer = root.ask("GET", path, token="")

    assert (answer.status_code, list(answer.json())) == (401, ["msg"])


@pytest.mark.parametrize("path", EXPLAINED)
def test_some_parts_explain_a_refresh_token(root: Root, path: str):
    answer = root.ask("GET", path, token=root.tokens["refresh_token"])

    assert (answer.status_code, list(answer.json())) == (422, ["msg"])


@pytest.mark.parametrize("path", TERSE)
@pytest.mark.parametrize("kind", ["none", "nonsense", "refresh"])
def test_the_others_have_one_answer_to_all_bad_tokens(root: Root, path: str, kind: str):
    tokens = {"none": "", "nonsense": "x.y.z", "refresh": root.tokens["refresh_token"]}

    answer = root.ask("GET", path, token=tokens[kind])

    assert (answer.status_code, list(answer.json())) == (401, ["message"])


def test_active_clusters_need_no_token(root: Root):
    clusters = root.ask("GET", "/api/clusters/active", token="").json()

    assert isinstance(clusters, list)
    for cluster in clusters:
        assert cluster.keys() >= {"candidate_name", "active", "ip", "supported_addons", "memory"}


def test_a_clusters_resource_api_lists_its_workers(root: Root):
    _, workers = root.workers()

    assert workers
    for worker in workers:
        assert worker.keys() >= {"candidate_name", "ip", "supported_addons", "memory", "vcpus"}

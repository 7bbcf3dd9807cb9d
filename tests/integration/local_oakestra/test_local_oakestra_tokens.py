"""The root's logins, tokens, users and permissions, refusals included."""

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from support.local_oakestra import TIMEOUT, Client, World, answer, error

JWT_STYLE = ["/api/application/x", "/api/applications/x", "/api/applications/"]
TERSE_STYLE = ["/api/service/x", "/api/services/x", "/api/user/Admin", "/api/permission/Admin"]


def a_token(client: Client, **claims: object) -> str:
    """Return a token signed by somebody else."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = jwt.decode(client.login["token"], options={"verify_signature": False})
    return jwt.encode({**own, **claims}, key, algorithm="RS256")


def test_the_token_carries_the_roots_claims(world: World, client: Client):
    key = requests.get(f"{world.key_url}/key", timeout=TIMEOUT).json()["public_key"]

    claims = jwt.decode(client.login["token"], key, algorithms=["RS256"])

    assert set(claims) == {
        *("sub", "user", "roles", "organization", "type"),
        *("iat", "nbf", "exp", "jti", "csrf", "fresh"),
    }
    assert (claims["sub"], claims["user"], claims["type"]) == ("Admin", "Admin", "access")
    assert claims["exp"] - claims["iat"] == 600
    assert set(claims["roles"]) >= {"Admin", "Application_Provider"}


def test_a_wrong_password_is_unauthorized(client: Client):
    credentials = {"username": "Admin", "password": "wrong"}

    response = client.request("POST", "/api/auth/login", json=credentials)

    assert answer(response) == error(401, "Unauthorized")


def test_a_missing_field_breaks_the_login(client: Client):
    response = client.request("POST", "/api/auth/login", json={"username": "Admin"})

    assert answer(response) == error(500, "Internal Server Error")


def test_an_unknown_organization_is_not_found(client: Client):
    credentials = {"username": "Admin", "password": "Admin", "organization_name": "other"}

    response = client.request("POST", "/api/auth/login", json=credentials)

    assert answer(response) == error(404, "Not Found")


def test_a_refresh_token_gives_a_new_access_token(client: Client):
    header = {"Authorization": f"Bearer {client.login['refresh_token']}"}

    token = client.request("POST", "/api/auth/refresh", headers=header).json()["token"]

    header = {"Authorization": f"Bearer {token}"}
    assert client.request("GET", "/api/permission/Admin", headers=header).status_code == 200


def test_an_access_token_cannot_be_refreshed(client: Client):
    response = client.request("POST", "/api/auth/refresh")

    assert answer(response) == (422, {"msg": "Only refresh tokens are allowed"})


@pytest.mark.parametrize("path", JWT_STYLE)
def test_applications_explain_a_missing_token(client: Client, path: str):
    response = client.request("GET", path, headers={"Authorization": None})

    assert answer(response) == (401, {"msg": "Missing Authorization Header"})


@pytest.mark.parametrize("path", JWT_STYLE)
def test_applications_explain_a_wrong_signature(client: Client, path: str):
    header = {"Authorization": f"Bearer {a_token(client)}"}

    response = client.request("GET", path, headers=header)

    assert answer(response) == (422, {"msg": "Signature verification failed"})


@pytest.mark.parametrize("path", JWT_STYLE)
def test_applications_explain_a_refresh_token(client: Client, path: str):
    header = {"Authorization": f"Bearer {client.login['refresh_token']}"}

    response = client.request("GET", path, headers=header)

    assert answer(response) == (422, {"msg": "Only non-refresh tokens are allowed"})


@pytest.mark.parametrize("path", TERSE_STYLE)
@pytest.mark.parametrize("token", ["", "nonsense", "refresh", "forged"])
def test_services_and_users_answer_all_bad_tokens_alike(client: Client, path: str, token: str):
    tokens = {"refresh": client.login["refresh_token"], "forged": a_token(client)}
    header = {"Authorization": f"Bearer {tokens.get(token, token)}"}

    response = client.request("GET", path, headers=header)

    assert answer(response) == (401, {"message": "Missing authentication token"})


def test_the_permission_endpoint_returns_the_roles(ada: Client):
    assert answer(ada.request("GET", "/api/permission/ada")) == (
        200,
        {"roles": ["Application_Provider"]},
    )


def test_the_permissions_of_others_are_forbidden(ada: Client):
    assert answer(ada.request("GET", "/api/permission/Admin")) == (
        403,
        {"message": "You have not enough permissions!"},
    )


def test_a_user_document_is_json_labelled_as_html(ada: Client):
    response = ada.request("GET", "/api/user/ada")

    assert response.headers["Content-Type"].startswith("text/html")
    assert set(response.json()) == {"_id", "name", "email", "password", "created_at", "roles"}

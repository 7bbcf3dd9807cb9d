"""Signing in, staying signed in, and what keeps other sites out."""

import re

import pytest

from flops_manager.domain.errors import NotAuthenticatedError
from flops_manager.entrypoints.web.site import add_site
from flops_manager.entrypoints.web.visitors import LocalVisitors, SignedInVisitors
from flops_manager.ports.accounts import Tokens
from support.api_samples import a_project
from support.manager_api import KnownTokens, World

PROJECT = a_project()
WRITES = [
    "/projects/new",
    "/projects/check",
    "/mocks/new",
    "/mocks/check",
    "/sign-out",
    *(f"/projects/{PROJECT.id}/{verb}" for verb in ("cancel", "retry", "delete", "sample")),
]


class KnownAccounts:
    """Knows Ada and her password."""

    def log_in(self, user, password, organization=""):
        if (user, password) != ("ada", "lovelace"):
            raise NotAuthenticatedError("Wrong user, password or organization.")
        return Tokens("ada's", "renews ada's")

    def renew(self, refresh_token):
        if refresh_token != "renews ada's":
            raise NotAuthenticatedError("The session has ended.")
        return "ada's"


class NoModels:
    """Serves nothing."""

    def predict(self, address, sample):
        return f"{address}: {sample.decode()}"


@pytest.fixture
def world():
    return World().has(PROJECT)


@pytest.fixture
def client(world):
    app = world.api()
    visitors = SignedInVisitors(KnownTokens(), KnownAccounts())
    add_site(app, world.use_cases(), visitors, NoModels())
    return app.test_client()


def csrf(client, path: str) -> str:
    return re.search(r'name="csrf" value="(\w+)"', client.get(path).text)[1]


def signed_in(client, **form: str):
    form = {"user": "ada", "password": "lovelace", "csrf": csrf(client, "/sign-in"), **form}
    return client.post("/sign-in", data=form)


def test_strangers_are_led_to_the_sign_in_page_and_back(client):
    answer = client.get("/mocks?page=2")

    assert answer.headers["Location"] == "/sign-in?next=/mocks?page=2"
    assert signed_in(client, next="/mocks?page=2").headers["Location"] == "/mocks?page=2"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_signing_in_leads_to_no_other_site(client, target):
    assert signed_in(client, next=target).headers["Location"] == "/projects"


def test_who_signed_in_sees_their_projects(client):
    signed_in(client)

    assert PROJECT.id in client.get("/projects").text


def test_a_wrong_password_is_reported_on_the_page(client):
    answer = signed_in(client, password="byron")

    assert (answer.status_code, "Wrong user" in answer.text) == (401, True)


def test_session_cookies_are_for_no_script_and_no_other_site(client):
    cookies = signed_in(client).headers.getlist("Set-Cookie")

    assert len(cookies) == 3
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


def test_session_cookies_travel_over_https_only_where_there_is_https(client):
    page = client.get("/sign-in", base_url="https://localhost")

    assert "Secure" in page.headers["Set-Cookie"]


@pytest.mark.parametrize("token", ["", "expired", "nonsense"])
def test_a_token_that_ran_out_is_renewed_on_the_way(client, token):
    signed_in(client)
    client.set_cookie("flops_session", token)

    answer = client.get("/projects")

    assert (answer.status_code, client.get_cookie("flops_session").value) == (200, "ada's")


def test_a_session_that_cannot_be_renewed_is_over(client):
    client.set_cookie("flops_session", "expired")
    client.set_cookie("flops_renewal", "nonsense")

    assert client.get("/projects").headers["Location"] == "/sign-in?next=/projects"


def test_a_part_of_a_page_reloads_the_page_when_the_session_is_over(client):
    answer = client.get("/projects", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")


def test_signing_out_takes_everything_out_of_the_browser(client):
    signed_in(client)
    client.post("/sign-out", data={"csrf": csrf(client, "/projects")})

    assert client.get("/projects").status_code == 303
    assert client.get_cookie("flops_renewal") is None


@pytest.mark.parametrize("path", WRITES)
def test_no_write_is_done_without_the_token_of_a_page(client, path):
    signed_in(client)

    assert client.post(path, data={"csrf": "f" * 64}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_no_write_is_done_for_another_site(client, headers):
    signed_in(client)
    token = csrf(client, "/projects")

    answer = client.post(f"/projects/{PROJECT.id}/delete", data={"csrf": token}, headers=headers)

    assert answer.status_code == 403


def test_what_belongs_to_others_is_not_there(client, world):
    world.has(a_project(id="b" * 12, customer_id="bob"))
    signed_in(client)

    assert client.get(f"/projects/{'b' * 12}").status_code == 404


def test_cookies_open_no_door_of_the_api(client):
    signed_in(client)

    assert client.get("/api/flops/projects").status_code == 401


def test_without_authentication_this_machine_needs_no_sign_in(world):
    app = world.api()
    add_site(app, world.use_cases(), LocalVisitors(), NoModels())
    client = app.test_client()

    assert PROJECT.id in client.get("/projects", base_url="http://127.0.0.1:5072").text
    assert client.get("/projects", base_url="http://rebound.example").status_code == 403

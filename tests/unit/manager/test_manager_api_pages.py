"""The description of the API and the pages for browsers."""

import re

import pytest
from openapi_spec_validator import validate

from flops_manager.entrypoints.api.pages import ASSETS
from support.manager_api import World

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGES = ["/docs"]


@pytest.fixture
def api():
    return World().api()


@pytest.fixture
def client(api):
    return api.test_client()


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def served(api) -> set[tuple[str, str]]:
    """Return (method, path) of every rule, as OpenAPI writes them."""
    return {
        (method.lower(), re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in api.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_the_description_is_valid_openapi(document):
    validate(document)


def test_every_route_is_described(api, document):
    described = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }

    assert described == served(api)


def test_what_people_come_for_is_described_first(document):
    names = [tag["name"] for tag in document["tags"]]

    assert names[0] == "project"
    assert names[-1] in {"pages", "status"}


def test_every_operation_says_what_it_does(document):
    operations = [method for methods in document["paths"].values() for method in methods.values()]

    assert all(
        operation["summary"] and operation["responses"]["200"]["content"]
        for operation in operations
    )


def test_operation_ids_are_unique(document):
    ids = [
        method["operationId"]
        for methods in document["paths"].values()
        for method in methods.values()
    ]

    assert len(ids) == len(set(ids))


def test_everything_under_api_is_described_as_guarded(document):
    guarded = {
        path: [method["security"] for method in methods.values()]
        for path, methods in document["paths"].items()
        if path.startswith("/api/")
    }

    assert all(item == [{"token": []}] for security in guarded.values() for item in security)


def test_the_project_sla_is_described_by_its_schema(document):
    properties = document["components"]["schemas"]["ProjectSla"]["properties"]

    assert (properties["ml_model_flavor"]["enum"], "customerID" in properties) == (
        ["sklearn", "pytorch", "tensorflow", "keras"],
        True,
    )


def test_secrets_are_not_described(document):
    assert "grid_token" not in str(document)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", "text/plain"])
def test_programs_are_answered_ok_in_json(client, accept):
    assert client.get("/", headers={"Accept": accept}).json == {"message": "ok"}


def test_browsers_are_led_to_the_pages(client):
    assert client.get("/", headers=BROWSER).headers["Location"] == "/projects"


@pytest.mark.parametrize("path", PAGES)
def test_pages_ask_no_other_host(client, path):
    page = client.get(path, headers=BROWSER).text

    assert not re.findall(r"(?:src|href)=\"(?!/)", page)


@pytest.mark.parametrize("path", PAGES)
def test_pages_allow_scripts_of_their_own_files_only(client, path):
    answer = client.get(path, headers=BROWSER)
    policy = answer.headers["Content-Security-Policy"]

    assert "script-src 'self';" in policy
    assert not re.findall(r"<script>|\son\w+=", answer.text)


def test_what_the_docs_page_loads_is_there(client):
    links = re.findall(r"(?:src|href)=\"(/[^\"]+)\"", client.get("/docs").text)

    assert [client.get(link).status_code for link in links] == [200] * len(links)


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_the_files_of_swagger_ui_are_in_its_package(client, name):
    assert len(client.get(f"/docs/assets/{name}").data) > 100


@pytest.mark.parametrize("name", ["index.html", "..%2f__init__.py", "swagger-ui.css.map"])
def test_no_other_file_is_sent(client, name):
    assert client.get(f"/docs/assets/{name}").status_code == 404


def test_swagger_ui_asks_nobody_to_validate(client):
    assert "validatorUrl: null" in client.get("/docs/start.js").text


@pytest.mark.parametrize("path", ["/", "/api/flops/projects", "/docs", "/metrics"])
def test_no_answer_may_be_framed_or_guessed_at(client, path):
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]

"""The contents of the pages, and the rules for all of them."""

import re
from dataclasses import replace

import pytest

from flops_contracts.privacy import DifferentialPrivacy, Privacy, SecureAggregation
from flops_contracts.roles import Stage
from flops_manager.domain.errors import ModelServerError
from flops_manager.entrypoints.web.site import FILES, add_site
from flops_manager.entrypoints.web.visitors import LocalVisitors
from support.api_samples import HISTORY, a_mock, a_project
from support.manager_api import World

PROJECT = a_project()
MOCK = a_mock()
ONE = f"/projects/{PROJECT.id}"
PAGES = [
    *("/projects", "/projects/new", "/mocks", "/mocks/new", "/nodes", f"/mocks/{MOCK.id}", ONE),
    *(f"{ONE}/{part}" for part in ("live", "logs", "data", "cancel", "delete")),
    f"/mocks/{MOCK.id}/delete",
]
HERE = "http://127.0.0.1:5072"


class FussyModels:
    """Answers what it is sent, unless that is empty."""

    def predict(self, address, sample):
        if not sample:
            raise ModelServerError("The model refuses the sample (400): empty")
        return f"{address} says {sample.decode()}"


@pytest.fixture
def world():
    return World().has(PROJECT, MOCK).tells(*HISTORY)


@pytest.fixture
def client(world):
    app = world.api()
    add_site(app, world.use_cases(), LocalVisitors(), FussyModels())
    client = app.test_client()
    client.environ_base["HTTP_HOST"] = "127.0.0.1:5072"
    return client


def get(client, path: str, **headers: str):
    return client.get(path, base_url=HERE, headers=headers)


def post(client, path: str, **form: object):
    token = re.search(r'name="csrf" value="(\w+)"', get(client, "/projects/new").text)[1]
    return client.post(path, base_url=HERE, data={"csrf": token, **form})


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_there_and_ask_no_other_host(client, path):
    answer = get(client, path)

    assert answer.status_code in {200, 286}
    assert not re.findall(r'(?:src|action|hx-\w+)="(?:https?:)?//', answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_and_style_from_their_own_files_only(client, path):
    answer = get(client, path)
    policy = answer.headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert not re.findall(r"<script>|<style|\sstyle=|\son[a-z]+=", answer.text)


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_the_site_are_there(client, name):
    assert len(get(client, f"/static/{name}").data) > 100


def test_no_other_file_is_sent(client):
    assert get(client, "/static/..%2f..%2fsettings.py").status_code == 404


def test_a_name_that_is_markup_stays_text(client, world):
    sla = replace(PROJECT.sla, ml_repo_url="https://x/<script>alert(1)</script>")
    world.has(replace(PROJECT, sla=sla))

    assert "<script>alert" not in get(client, ONE).text


def test_secrets_stand_on_no_page(client):
    assert PROJECT.grid_token not in get(client, ONE).text


def test_the_list_is_searched_and_filtered(client):
    assert PROJECT.id in get(client, "/projects?q=NO+ROWS&stage=failed").text
    assert PROJECT.id not in get(client, "/projects?q=elsewhere").text
    assert PROJECT.id not in get(client, "/projects?stage=training").text


def test_a_part_of_the_list_is_not_a_whole_page(client):
    part = get(client, "/projects", **{"HX-Request": "true"}).text

    assert ("<html" in part, PROJECT.id in part) == (False, True)


def test_a_failed_project_says_where_it_stopped_and_why(client):
    page = get(client, ONE).text

    assert "stopped in “Training”" in page
    assert "fit_model raised ValueError: no rows" in page
    assert "model_manager.py:12" in page


def test_a_page_says_what_is_promised_to_learners_and_what_is_spent(client, world):
    private = DifferentialPrivacy(0.5, 1.2, epsilon_budget=8)
    sla = replace(PROJECT.sla, privacy=Privacy(private, SecureAggregation()))
    done = replace(PROJECT.rounds[0], metrics={"epsilon": 3.14159})
    world.has(a_project(sla=sla, rounds=(done,)))

    page = get(client, ONE).text

    assert "central model: ε 3.14 spent of 8 at δ 1e-05" in page
    assert "no aggregator of learners sees a single update" in page


def test_an_ended_project_asks_no_more(client):
    assert get(client, f"{ONE}/live").status_code == 286


def test_a_page_goes_on_where_its_stream_should_begin(client, world):
    world.has(a_project(Stage.TRAINING))

    assert f'data-seq="{len(HISTORY)}"' in get(client, ONE).text


def test_the_stream_catches_up_by_the_last_event(client):
    stream = get(client, f"{ONE}/events", **{"Last-Event-ID": str(len(HISTORY) - 1)}).text

    assert re.findall(r"^id: (\d+)$", stream, re.MULTILINE) == [str(len(HISTORY))]


def test_a_served_model_is_asked_through_the_manager(client, world):
    world.has(a_project(Stage.SERVING))

    answer = post(client, f"{ONE}/sample", sample='{"inputs": []}').text

    assert "http://192.0.2.8:8080 says {&#34;inputs&#34;: []}" in answer


def test_the_refusal_of_a_model_is_shown(client, world):
    world.has(a_project(Stage.SERVING))

    assert "refuses the sample" in post(client, f"{ONE}/sample", sample="").text


def test_a_project_is_deleted_by_its_form(client, world):
    post(client, f"{ONE}/delete")

    assert world.stored() == []


def test_every_problem_of_a_form_is_shown_at_its_field(client):
    answer = post(client, "/projects/new", **{"training_configuration.training_rounds": "many"})

    assert answer.status_code == 400
    assert 'href="#ml_repo_url"' in answer.text
    assert 'href="#training_configuration-training_rounds"' in answer.text


def test_the_same_form_sent_twice_starts_one_project(client, world):
    form = {
        "key": "one-key",
        "customerID": "ada",
        "ml_repo_url": "https://git.example/ada/digits",
        "ml_model_flavor": "sklearn",
        "training_configuration.data_tags": "mnist, digits",
    }
    first, second = (post(client, "/projects/new", **form) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert world.stored()[0].sla.training_configuration.data_tags == ("mnist", "digits")


def test_a_form_that_is_changed_after_it_was_sent_can_be_sent_again(client, world):
    form = {
        "key": "one-key",
        "customerID": "ada",
        "ml_repo_url": "https://git.example/ada/digits",
        "ml_model_flavor": "sklearn",
        "training_configuration.data_tags": "mnist",
    }
    post(client, "/projects/new", **form)
    before = len(world.stored())
    refused = post(client, "/projects/new", **{**form, "learners": "2"})
    key = re.search(r'name="key" value="(\w+)"', refused.text)[1]

    assert refused.status_code == 422
    assert post(client, "/projects/new", **{**form, "learners": "2", "key": key}).status_code == 303
    assert len(world.stored()) == before + 1


def test_checking_a_form_creates_nothing(client, world):
    before = len(world.stored())
    answer = post(client, "/projects/check", customerID="ada", ml_model_flavor="sklearn")

    assert "Missing data for required field" in answer.text
    assert len(world.stored()) == before


def test_an_unknown_project_is_answered_with_a_page(client):
    answer = get(client, "/projects/ffffffffffff")

    assert (answer.status_code, answer.mimetype) == (404, "text/html")

"""The client over HTTP, against a small manager and a small root that misbehave on request."""

import json
import threading
from collections import deque

import pytest
from click.testing import CliRunner
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from flops_cli.__main__ import flops, main
from flops_cli.client import FlopsClient
from flops_cli.credentials import RootLogin, TokenFile
from flops_cli.errors import (
    CliExitCode,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from flops_contracts.envelope import document_from_event
from flops_contracts.events import Kind, Notice, StageChanged
from flops_contracts.roles import Stage
from support.broker import free_port
from support.observed import observed_event

PROJECT = {"project_id": "p1", "stage": "completed", "owner": "ada", "rounds": []}


class SmallManager:
    """Answers from ``answers`` (status, document) first; records its requests."""

    def __init__(self):
        self.answers = deque()
        self.requests = []
        self.tokens = {"good"}
        self.streams = deque()
        self.app = Flask("small-manager")
        self.app.add_url_rule(
            "/<path:path>", view_func=self.answer, methods=["GET", "POST", "DELETE"]
        )

    def answer(self, path):
        self.requests.append((request.method, f"/{path}", dict(request.headers), request.args))
        if path == "api/auth/login":
            right = request.json["password"] == "right"
            return (
                (jsonify(token="good", refresh_token="r"), 200)
                if right
                else (jsonify(code=401), 401)
            )
        if path == "api/auth/refresh":
            self.tokens.add("fresh")
            return jsonify(token="fresh")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return jsonify(message="The token has expired."), 401
        if "text/event-stream" in request.headers.get("Accept", ""):
            return Response(self.streams.popleft(), mimetype="text/event-stream")
        status, document = self.answers.popleft() if self.answers else (200, {"project": PROJECT})
        return jsonify(document), status


@pytest.fixture
def manager():
    return SmallManager()


@pytest.fixture
def url(manager):
    server = make_server("127.0.0.1", 0, manager.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(300)


class GivenToken:
    def __init__(self, token):
        self._token = token

    def token(self):
        return self._token

    def renewed(self):
        return "fresh"


@pytest.fixture
def client(url):
    with FlopsClient(url, GivenToken("good"), first_wait_seconds=0.01) as flops_client:
        yield flops_client


def a_stream(*events):
    frames = []
    for seq, event in events:
        document = json.dumps({"seq": seq, **document_from_event(event)})
        frames.append(f"id: {seq}\ndata: {document}\n\n")
    return "".join(frames)


def test_a_project_is_read(client):
    assert client.project("p1").stage is Stage.COMPLETED


def test_a_project_has_the_address_of_its_story(client, manager):
    gone = {"role": "learner", "status": "REMOVED", "public_address": "10.0.0.1"}
    observer = {"role": "observer", "status": "RUNNING", "public_address": "10.0.0.2"}
    manager.answers.append((200, {"project": {**PROJECT, "actors": [gone, observer]}}))

    assert client.project("p1").story_url == "http://10.0.0.2:2727"


def test_a_request_is_repeated_after_a_transient_failure(client, manager):
    manager.answers.extend([(503, {"message": "busy"}), (200, {"project": PROJECT})])

    assert client.project("p1").id == "p1"


def test_a_lasting_failure_has_the_servers_message(client, manager):
    manager.answers.extend([(503, {"message": "the store is away"})] * 10)

    with pytest.raises(UnreachableError, match="the store is away"):
        client.project("p1")

    assert len(manager.requests) == 4


def test_an_unreachable_manager_is_named_with_its_address():
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(UnreachableError, match=rf"{url} does not answer: \[Errno \d+\] \w+"):
        FlopsClient(url, GivenToken("good"), first_wait_seconds=0.01).project("p1")


def test_a_submission_keeps_its_key_when_it_is_repeated(client, manager):
    manager.answers.extend([(502, {}), (200, {"message": "ok", "project_id": "p1"})])

    client.submit_project({"customerID": "ada"})

    keys = {headers["Idempotency-Key"] for _, _, headers, _ in manager.requests}
    assert len(manager.requests) == 2
    assert len(keys) == 1


def test_every_problem_of_a_refused_sla_is_in_the_error(client, manager):
    problems = {"ml_repo_url": ["Missing."], "learners": ["Not a number."]}
    manager.answers.append((400, {"message": "The SLA is invalid.", "errors": problems}))

    with pytest.raises(RefusedError, match="SLA is invalid") as raised:
        client.submit_project({})

    assert set(raised.value.errors) == {"ml_repo_url: Missing.", "learners: Not a number."}


def test_each_problem_of_an_sla_is_printed_once(shell, manager, tmp_path, capsys):
    file = tmp_path / "sla.json"
    file.write_text("{}")
    problems = {"ml_repo_url": ["Missing."]}
    message = "The SLA is invalid. ml_repo_url: Missing."
    manager.answers.append((400, {"message": message, "errors": problems}))

    assert main(["project", "start", str(file)]) == CliExitCode.REFUSED

    shown = capsys.readouterr().err
    assert shown.splitlines() == ["Error: The SLA is invalid.", "  ml_repo_url: Missing."]


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, NotAllowedError), (404, NotFoundError), (409, RefusedError), (500, UnreachableError)],
)
def test_a_status_becomes_an_error_of_its_kind(client, manager, status, error):
    manager.answers.append((status, {"message": "no"}))

    with pytest.raises(error, match="no"):
        client.project("p1")


def test_an_expired_token_is_renewed_once(url, manager):
    manager.tokens.add("fresh")

    with FlopsClient(url, GivenToken("old")) as client:
        assert client.project("p1").id == "p1"


def test_a_token_that_stays_refused_is_an_error(url, manager):
    with FlopsClient(url, GivenToken("old")) as client, pytest.raises(NotAllowedError):
        client.project("p1")


def test_events_are_followed_until_the_project_has_ended(client, manager):
    ended = observed_event(Kind.STAGE_CHANGED, StageChanged("completed", "training"))
    manager.streams.append(a_stream((1, observed_event(Kind.NOTICE, Notice("hi"))), (2, ended)))

    assert [numbered.seq for numbered in client.follow("p1")] == [1, 2]


def test_a_project_that_was_retried_is_followed_beyond_its_earlier_end(client, manager):
    manager.answers.append((200, {"project": {**PROJECT, "stage": "training"}}))
    cancelled = observed_event(Kind.STAGE_CHANGED, StageChanged("cancelled", "training"))
    retried = observed_event(Kind.STAGE_CHANGED, StageChanged("training", "cancelled"))
    ended = observed_event(Kind.STAGE_CHANGED, StageChanged("completed", "training"))
    manager.streams.append(a_stream((1, cancelled), (2, retried), (3, ended)))

    assert [numbered.seq for numbered in client.follow("p1")] == [1, 2, 3]


def test_a_broken_stream_is_resumed_where_it_broke(client, manager):
    manager.answers.append((200, {"project": {**PROJECT, "stage": "training"}}))
    ended = observed_event(Kind.STAGE_CHANGED, StageChanged("completed", "training"))
    manager.streams.append(a_stream((1, observed_event(Kind.NOTICE, Notice("hi")))))
    manager.streams.append(a_stream((2, ended)))

    seen = [numbered.seq for numbered in client.follow("p1")]

    resumed = [headers.get("Last-Event-Id") for _, _, headers, _ in manager.requests]
    assert seen == [1, 2]
    assert "1" in resumed


def test_following_ends_after_several_streams_without_events(client, manager):
    manager.answers.extend([(200, {"project": {**PROJECT, "stage": "training"}})] * 10)
    manager.streams.extend([""] * 10)

    with pytest.raises(UnreachableError, match="before the project ends"):
        list(client.follow("p1"))


def test_a_wrong_password_is_refused_with_the_user(url):
    with pytest.raises(NotAllowedError, match="ada"):
        RootLogin(url).log_in("ada", "wrong")


@pytest.fixture
def shell(url, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("FLOPS_API_URL", url)
    monkeypatch.setenv("FLOPS_OAKESTRA_URL", url)
    monkeypatch.setenv("FLOPS_USER", "ada")
    monkeypatch.setenv("FLOPS_PASSWORD", "right")
    return tmp_path


def test_a_login_is_kept_for_later_commands(shell):
    arguments = ["login", "--user", "ada", "--password-stdin"]

    ended = CliRunner().invoke(flops, arguments, input="right\n")

    assert ended.exit_code == 0
    assert TokenFile(shell / "flops").read().token == "good"
    assert "right" not in ended.output


def test_show_prints_json_for_programs(shell, capsys):
    assert main(["--json", "project", "show", "p1"]) == CliExitCode.DONE

    assert json.loads(capsys.readouterr().out) == PROJECT


def test_a_mock_is_deleted(shell, manager, capsys):
    manager.answers.append((200, {"message": "Mock data provider m1 is deleted."}))

    assert main(["mock", "delete", "m1"]) == CliExitCode.DONE

    assert manager.requests[-1][:2] == ("DELETE", "/api/flops/mocks/m1")
    assert "is deleted" in capsys.readouterr().out


def a_mock(stage, **more):
    return (200, {"mock": {"mock_id": "m1", "stage": stage, **more}})


@pytest.fixture
def mock_sla(shell, tmp_path):
    file = tmp_path / "mock.json"
    file.write_text("{}")
    return str(file)


def test_mock_data_are_awaited(mock_sla, manager, capsys):
    progress = {"message": "loading mnist", "done": 1, "total": 2}
    manager.answers.append((200, {"message": "ok", "mock_id": "m1"}))
    manager.answers.append(a_mock("providing", progress=progress))
    manager.answers.append(a_mock("completed", fragments=[{"name": "x"}]))

    assert main(["mock", "start", mock_sla, "--watch"]) == CliExitCode.DONE

    shown = capsys.readouterr().out
    assert "loading mnist 1/2" in shown
    assert "Provided: 1 fragments." in shown


def test_a_mock_shows_node_and_labels_of_each_fragment(shell, manager, capsys):
    origin = {"partition": 2, "node": "munich/node1", "labels": {"0": 150, "7": 3}}
    fragment = {"name": "mnist.0a.parquet", "rows": 153, "bytes": 4000, **origin}
    manager.answers.append(a_mock("completed", fragments=[fragment]))

    assert main(["mock", "show", "m1"]) == CliExitCode.DONE

    words = capsys.readouterr().out.splitlines()[-1].split()
    assert words == [
        *("mnist.0a.parquet", "153", "4000", "2", "munich/node1"),
        *("0:", "150,", "7:", "3"),
    ]


def test_mock_data_that_fail_are_an_error(mock_sla, manager, capsys):
    manager.answers.append((200, {"message": "ok", "mock_id": "m1"}))
    manager.answers.append(a_mock("failed", error={"reason": "no hub", "hint": "Use a source."}))

    assert main(["mock", "start", mock_sla, "--watch"]) == CliExitCode.FAILED

    assert "no hub" in capsys.readouterr().err


def test_a_project_is_deleted_only_after_confirmation(shell, manager):
    ended = CliRunner().invoke(flops, ["project", "delete", "p1"], input="n\n")

    assert ended.exit_code == 0
    assert "Nothing was deleted." in ended.output
    assert not [method for method, *_ in manager.requests if method == "DELETE"]


def test_watching_a_failed_project_ends_with_its_exit_code(shell, manager, capsys):
    error = {"reason": "fit_model raised", "hint": "Fix it.", "last_lines": ["boom"]}
    manager.streams.append("")
    failed = (200, {"project": {**PROJECT, "stage": "failed", "error": error}})
    manager.answers.extend([failed, failed, (200, {"events": []}), failed])

    assert main(["project", "watch", "p1"]) == CliExitCode.FAILED

    shown = capsys.readouterr().err
    assert "fit_model raised" in shown
    assert "boom" in shown
    assert "Fix it." in shown


WAITING = "Waiting for room at position 2 of the queue, at most 3600 s: it is full."


def test_what_a_project_waits_for_is_shown_until_it_begins(shell, manager, capsys):
    submitted = {**PROJECT, "stage": "submitted", "waiting": WAITING}
    nearer = WAITING.replace("position 2", "position 1")
    manager.answers.extend(
        (200, {"project": project})
        for project in (submitted, submitted, {**submitted, "waiting": nearer}, PROJECT)
    )
    manager.streams.append(
        a_stream((1, observed_event(Kind.STAGE_CHANGED, StageChanged("completed", "training"))))
    )

    assert main(["project", "watch", "p1"]) == CliExitCode.DONE

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [WAITING, nearer]
    assert lines.count(WAITING) == 1


def test_a_project_is_shown_with_what_it_waits_for_and_its_notices(shell, manager, capsys):
    notices = ["The cluster west is left out.", "fit_model has no config."]
    project = {**PROJECT, "stage": "submitted", "waiting": WAITING, "notices": notices}
    manager.answers.append((200, {"project": project}))

    assert main(["project", "show", "p1"]) == CliExitCode.DONE

    shown = capsys.readouterr().out
    assert f"waiting:         {WAITING}" in shown
    assert [
        line.split(maxsplit=1)[1] for line in shown.splitlines() if "notice:" in line
    ] == notices


def test_a_list_says_what_projects_wait_for(shell, manager, capsys):
    summary = {
        "project_id": "p1",
        "owner": "ada",
        "stage": "submitted",
        "ml_repo_url": "https://git.example/r",
        "ml_model_flavor": "sklearn",
        "waiting": WAITING,
        "rounds_completed": 0,
        "rounds": 3,
        "accuracy": None,
    }
    manager.answers.append((200, {"projects": [summary]}))

    assert main(["project", "list"]) == CliExitCode.DONE

    assert "position 2 of the queue" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("command", [["check"], ["start", "--dry-run"]])
def test_a_check_with_a_problem_is_refused(shell, manager, tmp_path, capsys, command):
    file = tmp_path / "sla.json"
    file.write_text("{}")
    finding = {"check": "data", "is_ok": False, "message": "no data", "hint": "Provide some."}
    manager.answers.append((200, {"message": "x", "is_ok": False, "findings": [finding]}))

    assert main(["project", *command, str(file)]) == CliExitCode.REFUSED

    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["PROBLEM  data: no data", "         Provide some."]
    assert "nothing was started" in shown.err
    assert manager.requests[-1][3]["dry_run"] == "true"


def test_an_sla_without_problems_can_be_started(shell, manager, tmp_path, capsys):
    file = tmp_path / "sla.json"
    file.write_text("{}")
    finding = {"check": "nodes", "is_ok": True, "message": "local/node-1"}
    manager.answers.append((200, {"message": "x", "is_ok": True, "findings": [finding]}))

    assert main(["project", "check", str(file)]) == CliExitCode.DONE

    assert "ok       nodes: local/node-1" in capsys.readouterr().out


def test_findings_are_json_for_programs(shell, manager, tmp_path, capsys):
    file = tmp_path / "sla.json"
    file.write_text("{}")
    finding = {"check": "data", "is_ok": False, "message": "no data", "hint": "Provide some."}
    manager.answers.append((200, {"message": "x", "is_ok": False, "findings": [finding]}))

    assert main(["project", "check", str(file), "--json"]) == CliExitCode.REFUSED

    assert json.loads(capsys.readouterr().out) == [{**finding, "where": ""}]


def test_watching_as_json_is_an_event_a_line_and_the_project_last(shell, manager, capsys):
    ended = observed_event(Kind.STAGE_CHANGED, StageChanged("completed", "training"))
    manager.streams.append(a_stream((1, observed_event(Kind.NOTICE, Notice("hi"))), (2, ended)))

    assert main(["project", "watch", "p1", "--json"]) == CliExitCode.DONE

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("seq") for line in lines] == [1, 2, None]
    assert lines[-1] == {"project": PROJECT}


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        ({"node": "n1", "public_address": "10.0.0.9"}, "n1"),
        ({"public_address": "10.0.0.9"}, "(10.0.0.9)"),
        ({}, "-"),
    ],
    ids=["placed by FLOps", "placed by the root", "not yet anywhere"],
)
def test_an_actors_node_or_address_is_shown(shell, manager, capsys, actor, shown):
    actors = [{"role": "observer", "instance": "obs1", "status": "RUNNING", **actor}]
    manager.answers.append((200, {"project": {**PROJECT, "actors": actors}}))

    main(["project", "show", "p1"])

    assert f"RUNNING  {shown} " in capsys.readouterr().out

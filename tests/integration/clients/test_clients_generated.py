"""The description of the API as others' programs read it: a client is made from it, and used."""

import json
import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from flops_contracts.declared import dump
from support.api_samples import a_mock, a_project
from support.manager_api import World, by
from support.published_clients import CLIENTS, client_environment
from support.wire_samples import MOCK_SLA, PAYLOADS, PROJECT_ID, PROJECT_SLA, an_event

# Far beyond what they need: they only may not hang the tests.
RUN_SECONDS = 300


def run(
    folder: Path, program: str, *arguments: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of the clients' environment in ``folder``; both outputs are one text."""
    programs = client_environment("openapi") / "bin"
    return subprocess.run(
        [str(programs / program), *map(str, arguments)],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "NO_PROXY": "127.0.0.0/8", **variables},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def world():
    return World().has(a_project(), a_mock()).tells(*map(an_event, PAYLOADS))


@pytest.fixture(scope="module")
def url(world):
    server = make_server("127.0.0.1", 0, world.api(), threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture(scope="module")
def description(world, tmp_path_factory):
    file = tmp_path_factory.mktemp("description") / "openapi.json"
    file.write_bytes(world.api().test_client().get("/openapi.json").data)
    return file


@pytest.fixture(scope="module")
def generated(description):
    target = description.parent / "flops_manager_client"
    ended = run(
        *(
            target.parent,
            "openapi-python-client",
            "generate",
            "--fail-on-warning",
            "--meta",
            "none",
        ),
        *("--path", description, "--output-path", target),
        *("--config", CLIENTS / "openapi-python-client.yaml"),
    )
    return target, ended


def test_a_client_is_generated_without_a_warning(generated):
    _, ended = generated

    assert (ended.returncode, "warning" in ended.stdout.lower()) == (0, False), ended.stdout


@pytest.fixture(scope="module")
def seen(generated, url, tmp_path_factory):
    package, _ = generated
    folder = tmp_path_factory.mktemp("slas")
    slas = [folder / "project.json", folder / "mock.json"]
    for file, sla in zip(slas, (PROJECT_SLA, MOCK_SLA), strict=True):
        file.write_text(json.dumps({**dump(sla), "customerID": "Admin"}))
    ended = run(
        *(
            folder,
            "python",
            CLIENTS / "drive_generated_client.py",
            url,
            "Admin's",
            *slas,
            PROJECT_ID,
        ),
        PYTHONPATH=str(package.parent),
    )
    assert ended.returncode == 0, ended.stdout
    return json.loads(ended.stdout)


def test_the_generated_client_submits_lists_and_cancels(seen, world):
    submitted = next(project for project in world.stored() if project.id != PROJECT_ID)

    assert (seen["project_id"], seen["listed"]) == (submitted.id, [submitted.id])
    assert submitted.sla == replace(PROJECT_SLA, customer_id="Admin")
    assert seen["sla"] == json.loads(json.dumps(dump(submitted.sla)))
    assert seen["cancelled"] == "cancelled"
    assert seen["mock_id"] in {mock.id for mock in world.stored_mocks()}


def test_the_generated_client_reads_every_field_of_a_project(seen, world):
    path = f"/api/flops/projects/{PROJECT_ID}"
    sent = world.api().test_client().get(path, headers=by("Admin's")).json["project"]

    assert seen["old"].keys() == sent.keys()
    assert seen["old"]["error"] == sent["error"]
    assert seen["old"]["rounds"] == sent["rounds"]


def test_the_generated_client_tells_the_kinds_of_events_apart(seen):
    assert seen["watched"] == [
        [kind, kind.title().replace("_", "") + "Event", type(payload).__name__]
        for kind, (_, payload) in PAYLOADS.items()
    ]


def test_every_answer_is_as_it_is_described(url, description, tmp_path):
    ended = run(
        *(tmp_path, "schemathesis", "--config-file", CLIENTS / "schemathesis.toml"),
        *("run", description, "--url", url, "--no-color"),
        *("--header", "Authorization: Bearer Admin's"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", 5, "--seed", 1),
        *("--generation-deterministic", "--suppress-health-check", "all"),
        *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
        *("--checks", "response_schema_conformance"),
    )

    assert ended.returncode == 0, ended.stdout

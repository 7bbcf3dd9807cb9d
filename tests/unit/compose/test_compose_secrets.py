"""Passwords that nobody gave: made once, kept, and read by the service that they are for."""

import os
import stat
import subprocess

import pytest
import yaml

from support.doc_blocks import ROOT

SCRIPTS = ROOT / "compose" / "secrets"
SUITE = yaml.safe_load((ROOT / "compose" / "management.yml").read_text())
SERVICES = SUITE["services"]
MANAGER = SERVICES["manager-api"]["environment"]
FOLDERS = [
    *("artifact-store", "backend-store", "grafana", "image-registry"),
    *("manager", "mongo", "mqtt-broker"),
]


@pytest.fixture
def volumes(tmp_path):
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    return tmp_path


def run(script, folder, *words, **variables):
    done = subprocess.run(
        [SCRIPTS / script, *words],
        env={
            "PATH": os.environ["PATH"],
            "FLOPS_SECRETS_FOLDER": str(folder),
            "FLOPS_SECRETS_GROUP": str(os.getgid()),
            **variables,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def contents(volumes):
    files = (path for path in volumes.glob("*/*") if path.is_file())
    return {str(path.relative_to(volumes)): path.read_text().strip() for path in files}


def test_every_password_is_random_and_another(volumes):
    run("make.sh", volumes)

    passwords = contents(volumes).values()
    assert len(passwords) == 10
    assert len(set(passwords)) == 10
    assert {len(password) for password in passwords} == {48}


def test_they_are_kept(volumes):
    run("make.sh", volumes)
    before = contents(volumes)

    run("make.sh", volumes)

    assert contents(volumes) == before


def test_a_given_one_replaces_what_was_made(volumes):
    run("make.sh", volumes)

    run("make.sh", volumes, FLOPS_MONGO_PASSWORD="given $x 'y'")

    assert contents(volumes)["mongo/MONGO_INITDB_ROOT_PASSWORD"] == "given $x 'y'"


def test_one_that_was_not_written_to_its_end_is_made_again(volumes):
    (volumes / "mongo" / "MONGO_INITDB_ROOT_PASSWORD").touch()

    run("make.sh", volumes)

    assert contents(volumes)["mongo/MONGO_INITDB_ROOT_PASSWORD"]


def test_nothing_is_printed_and_strangers_cannot_read(volumes):
    assert run("make.sh", volumes) == ""

    modes = {stat.S_IMODE(path.stat().st_mode) for path in volumes.glob("*/*")}
    assert modes == {0o440}


def test_a_service_has_its_passwords_in_its_environment(volumes):
    run("make.sh", volumes)

    printed = run("with.sh", volumes / "mongo", "sh", "-c", 'echo "$MONGO_INITDB_ROOT_PASSWORD"')

    assert printed.strip() == contents(volumes)["mongo/MONGO_INITDB_ROOT_PASSWORD"]


def test_a_given_password_comes_before_the_file(volumes):
    run("make.sh", volumes)

    show = ("sh", "-c", 'echo "$POSTGRES_PASSWORD"')
    printed = run("with.sh", volumes / "backend-store", *show, POSTGRES_PASSWORD="given")

    assert printed == "given\n"


def test_arguments_are_passed_on_unchanged(volumes):
    run("make.sh", volumes)

    assert run("with.sh", volumes / "mongo", "printf", "%s|", "a b", "$x", "") == "a b|$x||"


def test_the_manager_finds_a_file_for_each_of_its_passwords(volumes):
    run("make.sh", volumes)
    folder = "/run/flops/secrets/"
    named = {value.removeprefix(folder) for key, value in MANAGER.items() if key.endswith("_FILE")}

    assert len(named) == 8
    assert named <= contents(volumes).keys()


@pytest.mark.parametrize(
    "name",
    ["artifact-store", "backend-store", "grafana", "image-registry-push", "mongo", "mqtt-broker"],
)
def test_a_service_mounts_its_own_passwords_only_and_waits_for_them(name):
    service = SERVICES[name]
    mounts = [volume for volume in service["volumes"] if volume.startswith("secrets-")]

    assert len(mounts) == 1
    assert mounts[0].endswith(":/run/flops/secrets:ro")
    assert service["entrypoint"][0] == "/etc/secrets/with.sh"
    assert service["depends_on"]["secrets"] == {"condition": "service_completed_successfully"}


def test_a_password_is_asked_for_nowhere():
    required = [
        line
        for name in ("management.yml", "webhooks.yml")
        for line in (ROOT / "compose" / name).read_text().splitlines()
        if ":?" in line and "_IP:?" not in line
    ]

    assert required == []

"""Access to the registry: names, credentials, TLS, and errors that pass by themselves."""

import base64
import json
import stat
from pathlib import Path

import pytest

from flops_image_builder.adapters.buildah import Buildah, BuildahSettings
from flops_image_builder.adapters.commands import Commands
from flops_image_builder.adapters.distribution import Distribution, Place, place_of
from flops_image_builder.adapters.refusals import ImageAbsentError
from flops_image_builder.adapters.registry import (
    Registry,
    RegistrySettings,
    logins_of,
    variables_of,
)
from flops_image_builder.domain.errors import BuildFailedError, ImageStoreError

TWO_DOORS = RegistrySettings(name="reg:5073", address="reg:5074", tls=False)


def a_program(folder: Path, name: str, script: str) -> Commands:
    """Put a program on PATH that does what ``script`` says and counts its calls."""
    file = folder / name
    file.write_text(f"#!/bin/sh\necho call >> {folder}/calls\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return Commands({"PATH": f"{folder}:/usr/bin:/bin"})


def calls(folder):
    return (folder / "calls").read_text().count("call")


def test_the_builder_pushes_to_another_door_than_nodes_pull_from():
    assert TWO_DOORS.here("reg:5073/o/r/learner:t") == "reg:5074/o/r/learner:t"
    assert TWO_DOORS.here("ghcr.io/f/learner:t") == "ghcr.io/f/learner:t"


def test_plain_http_is_for_the_own_registry_only():
    registry = Registry(Distribution({}), TWO_DOORS)

    assert registry.verify("reg:5074/o/r/learner:t") == "--tls-verify=false"
    assert registry.verify("ghcr.io/f/learner:t") == "--tls-verify=true"


def test_a_password_goes_into_a_file_that_nobody_else_reads(tmp_path):
    settings = RegistrySettings(
        name="reg:5073", address="reg:5074", user="flops", password="secret"
    )

    variables = variables_of(settings, tmp_path)

    file = Path(variables["REGISTRY_AUTH_FILE"])
    login = base64.b64encode(b"flops:secret").decode()
    assert json.loads(file.read_text())["auths"]["reg:5074"] == {"auth": login}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "secret" not in repr(settings)


def test_an_authfile_is_taken_as_it_is(tmp_path):
    settings = RegistrySettings(name="reg:5073", auth_file="/run/secrets/auth.json")

    assert variables_of(settings, tmp_path) == {"REGISTRY_AUTH_FILE": "/run/secrets/auth.json"}


def test_the_logins_of_an_authfile_are_known_by_host(tmp_path):
    file = tmp_path / "auth.json"
    file.write_text('{"auths": {"ghcr.io": {"auth": "dTpw"}, "quay.io": {}}}')

    assert logins_of(RegistrySettings(name="reg:5073", auth_file=str(file))) == {"ghcr.io": "dTpw"}


def test_an_authfile_that_cannot_be_read_is_named(tmp_path):
    settings = RegistrySettings(name="reg:5073", auth_file=str(tmp_path / "none.json"))

    with pytest.raises(ImageStoreError, match=r"none\.json"):
        logins_of(settings)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("reg:5073/a/b/learner:t", "t"),
        ("reg:5073/a/b/learner", "latest"),
        ("reg:5073/a/b/learner@sha256:00", "sha256:00"),
        ("reg:5073/a/b/learner:t@sha256:00", "sha256:00"),
    ],
)
def test_a_reference_says_where_an_image_is(reference, name):
    assert place_of(reference) == (Place("reg:5073", "a/b/learner"), name)


def test_a_full_disk_is_reported_at_once(tmp_path):
    commands = a_program(tmp_path, "buildah", "echo 'write: no space left on device' >&2; exit 1")
    buildah = Buildah(commands, BuildahSettings(), None, {})

    with pytest.raises(ImageStoreError) as caught:
        buildah.build("/context")

    assert caught.value.hint.startswith("Free space")
    assert calls(tmp_path) == 1


def test_a_build_that_hangs_is_ended(tmp_path):
    commands = a_program(tmp_path, "buildah", "exec tail -f /dev/null")
    buildah = Buildah(commands, BuildahSettings(build_timeout_seconds=0.3), None, {})

    with pytest.raises(BuildFailedError, match=r"did not end within 0\.3 seconds"):
        buildah.build("/context")


def test_a_missing_program_is_reported(tmp_path):
    buildah = Buildah(Commands({"PATH": str(tmp_path)}), BuildahSettings(), None, {})

    with pytest.raises(ImageStoreError, match="is not installed"):
        buildah.run("info")


def test_what_is_not_there_is_distinguished_from_what_failed(tmp_path):
    commands = a_program(tmp_path, "buildah", "echo 'name unknown' >&2; exit 125")
    buildah = Buildah(commands, BuildahSettings(), None, {})

    with pytest.raises(ImageAbsentError):
        buildah.transfer("pulling x", buildah.argv("pull", "x"))

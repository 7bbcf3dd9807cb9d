"""`make images` and `make bases`: their calls, and their errors without a registry."""

import importlib.util
import os
import subprocess
import sys

import pytest

from support.doc_blocks import ROOT

BOTH = ("linux/amd64", "linux/arm64")
NO_HOST = (
    "failed to do request: Head https://registry-1.docker.io/v2/library/python/manifests/x: "
    "dial tcp: lookup registry-1.docker.io: no such host"
)


@pytest.fixture(scope="module")
def scripts():
    """The two scripts as modules, of which one imports the others of its folder."""
    folder = str(ROOT / "compose")
    sys.path.insert(0, folder)
    try:
        modules = []
        for name in ("images", "bases"):
            spec = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
            modules.append(importlib.util.module_from_spec(spec))
            sys.modules[name] = modules[-1]
            spec.loader.exec_module(modules[-1])
        yield modules
    finally:
        sys.path.remove(folder)
        for name in ("images", "bases", "make_env"):
            sys.modules.pop(name, None)


@pytest.fixture
def images(scripts):
    return scripts[0]


@pytest.fixture
def bases(scripts):
    return scripts[1]


@pytest.fixture
def programs(tmp_path):
    """A folder for programs in place of docker and buildah."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def a_program(folder, name, script):
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def run(script, *words, programs, **variables):
    return subprocess.run(
        [sys.executable, ROOT / "compose" / script, *words],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "line",
    [
        NO_HOST,
        "dial tcp 192.0.2.1:443: connect: connection refused",
        "dial tcp 192.0.2.1:443: i/o timeout",
        "net/http: TLS handshake timeout",
        "Get https://x/v2/: proxyconnect tcp: EOF",
        "pinging container registry docker.io: Get: dial tcp: network is unreachable",
    ],
)
def test_a_registry_out_of_reach_is_recognised(images, line):
    assert "cannot be reached" in images.advice(f"#3 ERROR\n{line}\n")


@pytest.mark.parametrize("line", ["", "no space left on device", "pip: No matching distribution"])
def test_other_failures_get_no_such_advice(images, line):
    assert images.advice(line) == ""


def test_images_without_a_registry_say_what_to_set(programs):
    a_program(programs, "docker", f'echo "{NO_HOST}" >&2; exit 1')

    ended = run("images.py", "learner", programs=programs)

    assert ended.returncode != 0
    assert "no such host" in ended.stderr
    assert "BUILD_ARG=" in ended.stderr
    assert "PYTHON_IMAGE" in ended.stderr


def test_every_image_of_others_can_be_named(images):
    arguments = {
        line.removeprefix("ARG ").partition("=")[0]
        for file in images.dockerfiles().values()
        for line in file.read_text().splitlines()
        if line.startswith("ARG ") and "_IMAGE=" in line
    }

    assert arguments == set(images.IMAGES_OF_OTHERS)


def test_bases_are_copied_by_docker_for_this_machine(bases):
    steps = bases.copies("p", "1")

    assert steps[:2] == [
        ["docker", "tag", "p/learner:1", "127.0.0.1:5074/flops/learner:1"],
        ["docker", "push", "--quiet", "127.0.0.1:5074/flops/learner:1"],
    ]


def test_bases_for_two_platforms_are_built_into_the_registry(bases):
    steps = bases.builds("1", BOTH, ("PYTHON_IMAGE=x",))

    pushes = [step[-1] for step in steps if step[:3] == ["buildah", "manifest", "push"]]
    platforms = {step[step.index("--platform") + 1] for step in steps if "--platform" in step}
    assert pushes == [
        f"docker://127.0.0.1:5074/flops/{name}:1"
        for name in ("learner", "aggregator", "model-server")
    ]
    assert platforms == set(BOTH)


def test_make_bases_passes_platforms_and_the_registrys_account(programs, tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("FLOPS_REGISTRY_PASSWORD=of-the-registry\n")
    log = tmp_path / "log"
    a_program(programs, "buildah", f'cat "$REGISTRY_AUTH_FILE" >> {log}; echo " $*" >> {log}')

    ended = run(
        "bases.py",
        *("--env-file", env_file, "--platform", BOTH[0], "--platform", BOTH[1]),
        programs=programs,
    )

    assert ended.returncode == 0, ended.stderr
    calls = log.read_text()
    assert "127.0.0.1:5074" in calls
    assert "of-the-registry" not in calls
    assert calls.count("manifest push") == 3


def test_bases_that_were_not_built_are_named_with_what_to_do(programs, tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("FLOPS_REGISTRY_PASSWORD=of-the-registry\n")
    a_program(programs, "docker", 'echo "No such image" >&2; exit 1')

    ended = run("bases.py", "--env-file", env_file, programs=programs)

    assert ended.returncode != 0
    assert "make images" in ended.stderr


def test_bases_say_what_to_do_without_buildah(tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("FLOPS_REGISTRY_PASSWORD=of-the-registry\n")

    words = ("--env-file", env_file, "--platform", "linux/arm64")
    ended = run("bases.py", *words, programs=tmp_path, PATH=str(tmp_path))

    assert ended.returncode != 0
    assert "buildah" in ended.stderr

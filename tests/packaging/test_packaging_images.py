"""Dockerfiles are sound, copy what exists, and all start from the same pinned images."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted([*ROOT.glob("*/*/Dockerfile"), ROOT / "addon" / "Dockerfile"])
SERVED = [path for path in DOCKERFILES if path.parent.parent.name == "services"]
# Only one public source names this digest, so `make pin` has to ask the registry for it first.
UNPINNED = "docker.io/jaegertracing/all-in-one:1.72.0"


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "compose" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")

    ended = subprocess.run(
        [hadolint, *DOCKERFILES], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, "")


def test_every_service_but_the_command_line_and_the_simulator_has_a_dockerfile():
    services = {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}

    assert services - {path.parent.name for path in SERVED} == {"cli", "simulator"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_everything_that_is_copied_exists(dockerfile):
    lines = re.findall(
        r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", dockerfile.read_text(), re.MULTILINE
    )

    assert [name for line in lines for name in line.split() if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("dockerfile", SERVED, ids=lambda path: path.parent.name)
def test_an_image_has_the_code_of_all_local_packages_of_its_service(dockerfile):
    text = dockerfile.read_text()
    project = (dockerfile.parent / "pyproject.toml").read_text()
    needed = re.findall(r"path = \"\.\./\.\./(shared/[\w-]+)\"", project)

    assert (
        "COPY shared/ shared/" in text
        or [folder for folder in needed if f"{folder}/src/" not in text] == []
    )


def test_an_image_of_others_has_the_same_digest_everywhere():
    pin = script("pin")

    digests = [
        reference for file in pin.FILES for reference in pin.digests_in(file.read_text()).items()
    ]

    assert {tag for tag, digest in digests if not digest} <= {UNPINNED}
    assert len(dict(digests)) == len(set(digests))


def test_pinning_replaces_digests_and_adds_them():
    pin = script("pin")
    old, new = f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"

    text = pin.pinned(
        f"a docker.io/x/y:1@{old} b docker.io/z:2 c", {"docker.io/x/y:1": new, "docker.io/z:2": old}
    )

    assert text == f"a docker.io/x/y:1@{new} b docker.io/z:2@{old} c"


def test_the_tag_is_the_version_but_the_data_servers_is_latest_too():
    images = script("images")
    options = images.Options(prefix="reg/x")

    assert options.references("manager") == (f"reg/x/manager:{images.VERSION}",)
    assert options.references("ml-data-server") == (
        f"reg/x/ml-data-server:{images.VERSION}",
        "reg/x/ml-data-server:latest",
    )


def test_an_image_says_what_it_is():
    images = script("images")
    options = images.Options(push=True)
    build, *pushes = images.build_steps("ml-data-server", Path("Dockerfile"), options, "abc")

    assert "org.opencontainers.image.title=flops-ml-data-server" in build
    assert "org.opencontainers.image.revision=abc" in build
    assert [push[-1].rpartition(":")[2] for push in pushes] == [images.VERSION, "latest"]

# ruff: noqa: INP001 - a script beside what it builds, no package
"""Builds FLOps' own images and prints their sizes: what ``make images`` runs.

With docker for this machine's platform; with buildah for several, which it puts under one name.
"""

import argparse
import json
import platform
import re
import runpy
import shutil
import subprocess
import sys
import threading
import tomllib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PREFIX: Final = "ghcr.io/oakestra/addon-flops"
REGISTRY: Final = "image-registry"
DATA_SERVER: Final = "ml-data-server"
VERSION: Final[str] = runpy.run_path(
    str(ROOT / "shared/contracts/src/flops_contracts/version.py"),
)["VERSION"]
SECONDS: Final = 3600
IMAGES_OF_OTHERS: Final = ("PYTHON_IMAGE", "DEBIAN_IMAGE", "REGISTRY_IMAGE", "DOCKER_IMAGE")
"""The build arguments that name the images that Dockerfiles begin with."""

OUT_OF_REACH: Final = re.compile(
    r"no such host|connection refused|i/o timeout|TLS handshake timeout|proxyconnect"
    r"|network is unreachable|no route to host|server misbehaving|name resolution"
)
ADVICE: Final = f"""\
A registry that images come from cannot be reached from here.
Give the engine a way to it (HTTPS_PROXY in its own environment, or a mirror), or name copies of the
images that Dockerfiles begin with, in a registry that can be reached:
    make images BUILD_ARG="PYTHON_IMAGE=registry.example/python:3.11-slim-bookworm"
The others are {", ".join(IMAGES_OF_OTHERS[1:])}."""


@dataclass(frozen=True)
class Options:
    """The names of images and their platforms; no platform means this machine's."""

    prefix: str = PREFIX
    tag: str = VERSION
    platforms: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    """KEY=VALUE of Dockerfiles' ARG lines, such as PYTHON_IMAGE."""
    push: bool = False
    is_plain: bool = False
    """Whether the registry is one without TLS."""

    def references(self, name: str) -> tuple[str, ...]:
        """Return the names of an image; Oakestra's NodeEngine starts the data server's `latest`."""
        tags = (self.tag, "latest") if name == DATA_SERVER else (self.tag,)
        return tuple(f"{self.prefix}/{name}:{tag}" for tag in dict.fromkeys(tags))


def dockerfiles() -> dict[str, Path]:
    """Return every image that this repository describes, by name."""
    services = {file.parent.name: file for file in sorted(ROOT.glob("services/*/Dockerfile"))}
    return {**services, REGISTRY: ROOT / "compose" / REGISTRY / "Dockerfile"}


def own_platform() -> str:
    """Return the platform of this machine, as images name it."""
    return "linux/arm64" if platform.machine() == "aarch64" else "linux/amd64"


def build_steps(name: str, file: Path, options: Options, revision: str) -> list[list[str]]:
    """Return the calls that build and, if asked, push one image."""
    arguments = list(options.arguments)
    if options.platforms:
        # buildah 1.28 does not say by itself on what it builds; BuildKit does.
        arguments.append(f"BUILDPLATFORM={own_platform()}")
    words = [word for argument in arguments for word in ("--build-arg", argument)]
    for key, value in labels(name, revision).items():
        words += ["--label", f"org.opencontainers.image.{key}={value}"]
    steps = _for_platforms if options.platforms else _for_this_machine
    return steps(options.references(name), options, ["--file", str(file), *words, str(ROOT)])


def labels(name: str, revision: str) -> dict[str, str]:
    """Return what an image says about itself."""
    project = ROOT / "services" / name / "pyproject.toml"
    about = tomllib.loads(project.read_text())["project"] if project.exists() else {}
    return {
        "title": f"flops-{name}",
        "description": about.get("description", "The image registry of a FLOps installation."),
        "source": "https://github.com/oakestra/addon-FLOps",
        "licenses": "Apache-2.0",
        "version": VERSION,
        "revision": revision or "unknown",
    }


def _for_this_machine(
    references: Sequence[str], options: Options, what: list[str]
) -> list[list[str]]:
    tags = [word for reference in references for word in ("--tag", reference)]
    pushes = [["docker", "push", "--quiet", reference] for reference in references]
    return [["docker", "build", "--quiet", *tags, *what], *(pushes if options.push else [])]


def _for_platforms(references: Sequence[str], options: Options, what: list[str]) -> list[list[str]]:
    reference = references[0]
    plain = ["--tls-verify=false"] if options.is_plain else []
    # The storage may hold the base of another platform under the same name.
    how = ["--pull-always", "--quiet", "--format", "docker", "--layers"]
    build = ["buildah", "build", *how, *plain]
    push = ["buildah", "manifest", "push", "--quiet", "--all", *plain]
    # Not by `build --manifest`: buildah 1.28 leaves an image out whose layers are all cached.
    parts = {
        platform: f"{reference}-{platform.replace('/', '-')}" for platform in options.platforms
    }
    return [
        *(
            [*build, "--platform", platform, "--tag", part, *what]
            for platform, part in parts.items()
        ),
        # A list that exists would be added to, and keep its older images.
        ["buildah", "manifest", "rm", reference],
        ["buildah", "manifest", "create", reference],
        *(
            ["buildah", "manifest", "add", reference, f"containers-storage:{part}"]
            for part in parts.values()
        ),
        *([*push, reference, f"docker://{name}"] for name in references if options.push),
    ]


def run(argv: Sequence[str], variables: Mapping[str, str] | None = None, hint: str = "") -> None:
    """Run one step and show its errors as they come; exit with the hint or advice if it fails."""
    is_optional = list(argv[:3]) == ["buildah", "manifest", "rm"]
    errors: deque[str] = deque(maxlen=50)
    with subprocess.Popen(
        list(argv),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=variables,
    ) as process:
        watchdog = threading.Timer(SECONDS, process.kill)
        watchdog.start()
        try:
            for line in process.stderr or ():
                errors.append(line)
                if not is_optional:
                    sys.stderr.write(line)
        finally:
            watchdog.cancel()
    if process.returncode and not is_optional:
        sys.exit(f"failed: {' '.join(argv)}\n{hint or advice(''.join(errors))}".rstrip())


def advice(errors: str) -> str:
    """Return what helps against a failure, if its last lines tell."""
    return ADVICE if OUT_OF_REACH.search(errors) else ""


def output(argv: Sequence[str]) -> str:
    """Return the standard output of a command, or nothing if it fails."""
    ended = subprocess.run(list(argv), check=False, timeout=60, capture_output=True, text=True)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def revision() -> str:
    """Return the commit of this checkout, or nothing without one."""
    return output(["git", "-C", str(ROOT), "rev-parse", "HEAD"])


def sizes(reference: str) -> tuple[int, int]:
    """Return the size of an image of docker and of what its Dockerfile adds, in bytes."""
    whole = int(output(["docker", "image", "inspect", "--format", "{{.Size}}", reference]) or 0)
    rows = output(["docker", "history", "--human=false", "--format", "{{json .}}", reference])
    added = 0
    for row in map(json.loads, rows.splitlines()):
        added += int(row["Size"])
        # The first of a Dockerfile's own layers; the next ones are its base's.
        if row["CreatedBy"].startswith(("COPY /image/ /", "COPY /etc/passwd")):
            break
    return whole, added


def options_from(argv: Sequence[str]) -> tuple[Options, list[str]]:
    """Read the command line: the options, and the names of the chosen images."""
    parser = argparse.ArgumentParser(prog="compose/images.py", description=__doc__)
    parser.add_argument("names", nargs="*", help="images to build; default: all")
    parser.add_argument("--prefix", default=PREFIX)
    parser.add_argument("--tag", default=VERSION)
    parser.add_argument("--platform", action="append", default=[], help="such as linux/arm64")
    parser.add_argument("--build-arg", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--push", action="store_true")
    parser.add_argument("--plain-http", action="store_true", help="the registry has no TLS")
    read = parser.parse_args(argv)
    unknown = set(read.names) - dockerfiles().keys()
    if unknown:
        parser.error(f"there is no image {', '.join(sorted(unknown))}")
    options = Options(
        prefix=read.prefix,
        tag=read.tag,
        platforms=tuple(read.platform),
        arguments=tuple(read.build_arg),
        push=read.push,
        is_plain=read.plain_http,
    )
    return options, read.names or list(dockerfiles())


def main() -> None:
    """Build the chosen images, one after the other, and print a table."""
    options, names = options_from(sys.argv[1:])
    tool = "buildah" if options.platforms else "docker"
    if not shutil.which(tool):
        sys.exit(f"{tool} is needed to build images{' for other platforms' * (tool == 'buildah')}")
    commit = revision()
    print(f"{'image':24} {'MB':>6} {'over its base':>14}")  # noqa: T201 - the result
    for name in names:
        for step in build_steps(name, dockerfiles()[name], options, commit):
            run(step)
        if options.platforms:
            print(f"{name:24} {', '.join(options.platforms)}")  # noqa: T201
            continue
        whole, added = sizes(options.references(name)[0])
        print(f"{name:24} {whole / 1e6:6.0f} {added / 1e6:14.0f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

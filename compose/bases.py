# ruff: noqa: INP001 - a script beside the files that it is for, no package
"""Puts the base images of actors into the suite's own registry: what ``make bases`` runs.

The image-builder takes its bases from a registry, never from an engine. On one machine that builds
FLOps' images itself (compose/local.yml) this registry is the only one that has them. For this
machine's platform docker copies its images; for others buildah builds them into the registry.
"""

import argparse
import base64
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from images import PREFIX, VERSION, Options, build_steps, dockerfiles, revision, run
from make_env import FILE, values_from

BASES: Final = ("learner", "aggregator", "model-server")
REGISTRY: Final = "127.0.0.1:5074"
ACCOUNT: Final = "flops"
REPOSITORY: Final = "flops"
HINT: Final = "Are the images built (make images), and does the suite of compose/local.yml run?"


def copies(prefix: str, tag: str) -> list[list[str]]:
    """Return the calls of docker that copy every base image."""
    copies = {f"{prefix}/{name}:{tag}": f"{REGISTRY}/{REPOSITORY}/{name}:{tag}" for name in BASES}
    return [
        step
        for image, copy in copies.items()
        for step in (["docker", "tag", image, copy], ["docker", "push", "--quiet", copy])
    ]


def builds(tag: str, platforms: Sequence[str], arguments: Sequence[str]) -> list[list[str]]:
    """Return the calls of buildah that build every base image for all platforms, and push it."""
    options = Options(
        prefix=f"{REGISTRY}/{REPOSITORY}",
        tag=tag,
        platforms=tuple(platforms),
        arguments=tuple(arguments),
        push=True,
        is_plain=True,
    )
    commit = revision()
    files = dockerfiles()
    return [step for name in BASES for step in build_steps(name, files[name], options, commit)]


def main() -> None:
    """Copy or build them; end with what the tool says if it cannot."""
    parser = argparse.ArgumentParser(prog="compose/bases.py", description=__doc__)
    parser.add_argument("--env-file", type=Path, default=FILE)
    parser.add_argument("--platform", action="append", default=[], help="such as linux/arm64")
    parser.add_argument("--build-arg", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    tool = "buildah" if chosen.platform else "docker"
    if not shutil.which(tool):
        sys.exit(
            f"{tool} is needed for base images{' for given platforms' * bool(chosen.platform)}"
        )
    if not chosen.env_file.exists():
        sys.exit(f"there is no {chosen.env_file}: run 'make env LOCAL=1' first")
    values = values_from(chosen.env_file.read_text())
    login = f"{ACCOUNT}:{values['FLOPS_REGISTRY_PASSWORD']}".encode()
    account = {"auths": {REGISTRY: {"auth": base64.b64encode(login).decode()}}}
    prefix = values.get("FLOPS_IMAGE_PREFIX", PREFIX)
    tag = values.get("FLOPS_IMAGE_TAG", VERSION)
    steps = (
        builds(tag, chosen.platform, chosen.build_arg) if chosen.platform else copies(prefix, tag)
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(account))
        # docker and buildah read the same form, from different places.
        own = {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(file)}
        variables = {**os.environ, **own}  # noqa: TID251 - the tools' own settings
        for step in steps:
            run(step, variables, "" if step[:2] == ["buildah", "build"] else HINT)
    print(f"{len(BASES)} base images are in the suite's registry")  # noqa: T201 - the result


if __name__ == "__main__":
    main()

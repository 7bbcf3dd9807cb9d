# ruff: noqa: INP001 - a script beside the files that it is for, no package
"""Puts the base images of actors into the suite's own registry: what ``make bases`` runs.

The image-builder takes its bases from a registry, never from an engine. On one machine that builds
FLOps' images itself (compose/local.yml) this registry is the only one that has them.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from images import PREFIX, VERSION
from make_env import FILE, values_from

BASES: Final = ("learner", "aggregator", "model-server")
REGISTRY: Final = "127.0.0.1:5074"
ACCOUNT: Final = "flops"
REPOSITORY: Final = "flops"
SECONDS: Final = 600


def steps(prefix: str, tag: str) -> list[list[str]]:
    """Return the calls of docker that copy every base image."""
    copies = {f"{prefix}/{name}:{tag}": f"{REGISTRY}/{REPOSITORY}/{name}:{tag}" for name in BASES}
    return [
        step
        for image, copy in copies.items()
        for step in (["docker", "tag", image, copy], ["docker", "push", "--quiet", copy])
    ]


def main() -> None:
    """Copy them; end with what docker says if it cannot."""
    parser = argparse.ArgumentParser(prog="compose/bases.py", description=__doc__)
    parser.add_argument("--env-file", type=Path, default=FILE)
    chosen = parser.parse_args()
    if not chosen.env_file.exists():
        sys.exit(f"there is no {chosen.env_file}: run 'make env LOCAL=1' first")
    values = values_from(chosen.env_file.read_text())
    login = f"{ACCOUNT}:{values['FLOPS_REGISTRY_PASSWORD']}".encode()
    account = {"auths": {REGISTRY: {"auth": base64.b64encode(login).decode()}}}
    prefix = values.get("FLOPS_IMAGE_PREFIX", PREFIX)
    tag = values.get("FLOPS_IMAGE_TAG", VERSION)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(account))
        variables = {**os.environ, "DOCKER_CONFIG": folder}  # noqa: TID251 - docker's own settings
        for step in steps(prefix, tag):
            ended = subprocess.run(
                step, check=False, timeout=SECONDS, env=variables, stdout=subprocess.DEVNULL
            )
            if ended.returncode:
                sys.exit(f"failed: {' '.join(step)}; are the images built, does the suite run?")
    print(f"{len(BASES)} base images are in the suite's registry")  # noqa: T201 - the result


if __name__ == "__main__":
    main()

"""A copy of the checkout on which nothing was configured, and the command of the manuals in it."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from containers.bench.bench import PARTS_IMAGE, PYTHON, Bench
from containers.bench.engine import Engine
from containers.bench.shell import run, timed
from containers.bench.suite import ROOT

COMMAND: Final = "docker compose -f docker/flops_management.docker_compose.yml"
ADDRESSES: Final = (
    *("SYSTEM_MANAGER_IP", "FLOPS_MANAGER_IP", "FLOPS_MQTT_BROKER_IP"),
    *("FLOPS_IMAGE_REGISTRY_IP", "ARTIFACT_STORE_IP", "BACKEND_STORE_IP"),
)
COPIES: Final = ("bootstrap.lock", ".dockerignore", "compose", "docker", "services", "shared")
DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}")
UP_SECONDS: Final = 900

REPLACED: Final = {
    "docker.io/library/eclipse-mosquitto:2.0.22": "",
    "docker.io/chrislusf/seaweedfs:4.48": "",
    "docker.io/library/mongo:8.0": "mongo.sh",
    "docker.io/library/postgres:17": "postgres.sh",
}
"""Images of others, and which script of the parts takes the place of their entry point."""

REPLACEMENT: Final = f"""\
FROM {PARTS_IMAGE}
ARG SCRIPT
USER root
RUN if [ -n "$SCRIPT" ]; then ln -s "$SCRIPT" /usr/local/bin/docker-entrypoint.sh; fi
COPY --chmod=755 mongosh /usr/local/bin/
"""

MONGOSH: Final = """\
#!/parts/bin/python
import pymongo

client = pymongo.MongoClient("127.0.0.1", serverSelectionTimeoutMS=4000)
client.admin.command("ping")
"""


@dataclass(frozen=True)
class BareMachine:
    """The copy in ``folder``; ``address`` is the machine's, as containers reach it."""

    engine: Engine
    folder: Path
    address: str

    @classmethod
    def prepare(cls, bench: Bench, folder: Path) -> "BareMachine":
        """Copy the checkout; where nothing can be pulled, images get the names of what is made."""
        ignore = shutil.ignore_patterns(".env", "__pycache__", ".venv", "*.egg-info")
        folder.mkdir()
        for name in COPIES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignore)
            else:
                shutil.copyfile(source, folder / name)
        if bench.has_parts:
            _replace_images(bench.engine, folder)
        return cls(bench.engine, folder, bench.bridge_address)

    def compose(self, words: str, **variables: str) -> str:
        """Run the manuals' command with six addresses, and ports on the machine's address only.

        On other addresses, other programs of this machine may have these ports.
        """
        outer = {name: "" for name in os.environ if name.startswith(("FLOPS_", "COMPOSE_"))}
        addresses = dict.fromkeys((*ADDRESSES, "FLOPS_PUBLISH_ADDRESS"), self.address)
        return run(
            f"{COMMAND} {words}".split(),
            seconds=UP_SECONDS,
            folder=self.folder,
            env={**outer, **self.engine.environment, **addresses, **variables},
        )

    def up(self, **variables: str) -> None:
        """Run exactly what the manuals print."""
        with timed("up with six addresses on a bare machine"):
            self.compose("up --build -d", **variables)

    def down(self, *, with_data: bool = False) -> None:
        """Take it down, as the clients' `restart-management` does, or with its volumes."""
        self.compose("down --volumes" if with_data else "down")

    def states(self) -> dict[str, str]:
        """Return the health of every service, or the exit code of one that ended."""
        rows = map(json.loads, self.compose("ps --all --format json").splitlines())
        return {row["Service"]: row["Health"] or f"exit {row['ExitCode']}" for row in rows}

    def secret(self, service: str, name: str) -> str:
        """Return a password as its service reads it."""
        return self.compose(f"exec -T {service} cat /run/flops/secrets/{name}").strip()


def _replace_images(engine: Engine, folder: Path) -> None:
    for path in (*folder.glob("compose/**/*"), *folder.glob("services/*/Dockerfile")):
        if path.name == "Dockerfile" or path.suffix == ".yml":
            path.write_text(DIGEST.sub("", path.read_text()))
    engine.docker("tag", PYTHON, f"{PYTHON}-bookworm")
    context = folder / "replacement"
    context.mkdir()
    (context / "Dockerfile").write_text(REPLACEMENT)
    (context / "mongosh").write_text(MONGOSH)
    for image, script in REPLACED.items():
        argument = f"SCRIPT={script}"
        engine.docker("build", "--quiet", "--tag", image, "--build-arg", argument, context)

"""Base images for two platforms in the suite's registry, and buildah with a storage of its own."""

import json
from pathlib import Path
from typing import Final

from containers.bench.base_image import UNPACKED, base_context
from containers.bench.bench import PYTHON
from containers.bench.engine import Engine
from containers.bench.shell import run, say
from containers.bench.suite import Suite

BASE: Final = "library/python:3.11-slim"
PLAIN: Final = "--tls-verify=false"


class Platforms:
    """buildah and skopeo against the registry at ``address``, all within ``folder``."""

    def __init__(self, folder: Path, engine: Engine, suite: Suite, address: str) -> None:
        self._folder = folder
        self._engine = engine
        self.pull = f"{address}:5073"
        self.push = f"{address}:5074"
        self._account = f"flops:{suite.value('FLOPS_REGISTRY_PASSWORD')}"
        self.environment = {
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        }

    def start(self) -> str:
        """Return the reference of a Python base image for both platforms."""
        self._folder.mkdir(exist_ok=True)
        (self._folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self._folder}/storage"\n'
            f'runroot = "{self._folder}/run"\n'
        )
        self.run("buildah", "login", PLAIN, "--username", "flops", "--password-stdin", self.push)
        say("making a base image for arm64")
        source = f"docker-daemon:{PYTHON}"
        daemon = ("--src-daemon-host", self._engine.socket, "--dest-tls-verify=false")
        self.run("skopeo", "copy", *daemon, source, f"docker://{self.push}/library/python:amd64")
        foreign = base_context(self._folder.parent, UNPACKED)
        self.run("buildah", "build", "--platform", "linux/arm64", "--tag", "arm64", str(foreign))
        self.run("buildah", "push", PLAIN, "arm64", f"docker://{self.push}/library/python:arm64")
        self.run("buildah", "manifest", "rm", "both", can_fail=True)
        self.run("buildah", "manifest", "create", "both")
        for name in ("amd64", "arm64"):
            self.run(
                *("buildah", "manifest", "add", PLAIN, "both"),
                f"docker://{self.pull}/library/python:{name}",
            )
        target = f"docker://{self.push}/{BASE}"
        self.run("buildah", "manifest", "push", "--all", PLAIN, "both", target)
        return f"{self.pull}/{BASE}"

    def run(self, *argv: str, can_fail: bool = False) -> str:
        """Return what a program prints; the password goes in by standard input, if it asks."""
        words = ["sh", "-c", '"$@" || true', "sh", *argv] if can_fail else [*argv]
        password = self._account.partition(":")[2]
        return run(words, seconds=600, env=self.environment, text=password)

    def architectures(self, repository: str) -> set[str]:
        """Return what an image in the registry is made for."""
        index = json.loads(
            self.run("skopeo", "inspect", "--raw", PLAIN, f"docker://{self.pull}/{repository}")
        )
        return {entry["platform"]["architecture"] for entry in index["manifests"]}

    def file(self, repository: str, architecture: str, path: str) -> bytes:
        """Return the first bytes of a file in an image; ``path`` may be a pattern."""
        reference = f"{self.pull}/{repository}"
        container = self.run("buildah", "from", PLAIN, "--arch", architecture, reference).strip()
        try:
            root = Path(self.run("buildah", "mount", container).strip())
            with next(root.glob(path)).open("rb") as file:
                return file.read(64)
        finally:
            self.run("buildah", "rm", container)

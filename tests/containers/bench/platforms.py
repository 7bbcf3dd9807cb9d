"""Base images for two platforms in the suite's registry, and buildah with a storage of its own."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from containers.bench.base_image import UNPACKED, base_context
from containers.bench.bench import PYTHON
from containers.bench.engine import Engine
from containers.bench.shell import BenchError, run, timed
from containers.bench.suite import ROOT, Suite

BASE: Final = "library/python:3.11-slim"
BASES: Final = "flops"
"""Where the image-builder of compose/local.yml looks for base images."""
PLAIN: Final = "--tls-verify=false"


class Platforms:
    """buildah and skopeo against the registry at ``address``, all within ``folder``."""

    def __init__(self, folder: Path, engine: Engine, suite: Suite, address: str) -> None:
        self._folder = folder
        self._engine = engine
        self._env_file = suite.env_file
        self.pull = f"{address}:5073"
        self.push = f"{address}:5074"
        self._account = f"flops:{suite.value('FLOPS_REGISTRY_PASSWORD')}"
        self.environment = {
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        }

    def start(self) -> None:
        """Put a Python base image for both platforms into the registry."""
        with timed("making a base image for arm64"):
            self._start()

    def build(self) -> None:
        """Build the base images of actors and the manager for both platforms into the registry."""
        both = ("--platform", "linux/amd64", "--platform", "linux/arm64")
        base = ("--build-arg", f"PYTHON_IMAGE={self.pull}/{BASE}")
        where = ("--prefix", f"{self.push}/{BASES}", "--push", "--plain-http")
        with timed("building base images for two platforms"):
            self._script("bases.py", "--env-file", self._env_file, *both, *base)
            self._script("images.py", *both, *where, *base, "manager")

    def _script(self, name: str, *words: str | Path) -> None:
        argv = [sys.executable, ROOT / "compose" / name, *words]
        run(argv, seconds=1200, env=self.environment)

    def stop(self) -> None:
        """Unmount everything in ``folder``, so that it can be removed."""
        # buildah 1.28 forgets containers of builds in several stages.
        self.run("buildah", "rm", "--all")
        self.run("umount", f"{self._folder}/storage/overlay", can_fail=True)

    def _start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        (self._folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self._folder}/storage"\n'
            f'runroot = "{self._folder}/run"\n'
        )
        self.run("buildah", "login", PLAIN, "--username", "flops", "--password-stdin", self.push)
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

    def layers(self, repository: str) -> list[str]:
        """Return the digests of the layers of an image for amd64."""
        where = ("--override-os", "linux", "--override-arch", "amd64", "inspect")
        description = self.run("skopeo", *where, PLAIN, f"docker://{self.pull}/{repository}")
        layers: list[str] = json.loads(description)["Layers"]
        return layers

    def file(self, repository: str, architecture: str, path: str) -> bytes:
        """Return the first bytes of a file in an image; ``path`` may be a pattern."""
        with self.mounted(repository, architecture) as root, next(root.glob(path)).open("rb") as f:
            return f.read(64)

    def emulated(self, repository: str, code: str) -> str:
        """Return what a program prints that an arm64 image's Python runs under qemu."""
        emulator = shutil.which("qemu-aarch64-static")
        if not emulator:
            raise BenchError("there is no qemu here")
        with self.mounted(repository, "arm64") as root:
            inside = root / "qemu"
            shutil.copyfile(emulator, inside)
            inside.chmod(0o755)
            python = ("/usr/bin/python3.11", "-c", code)
            path = "PYTHONPATH=/flops/src:/flops/code:/flops/site"
            return self.run("chroot", str(root), "/qemu", "-E", path, *python)

    @contextmanager
    def mounted(self, repository: str, architecture: str) -> Iterator[Path]:
        """Yield the folder of an image's files, until the block ends."""
        reference = f"{self.pull}/{repository}"
        container = self.run("buildah", "from", PLAIN, "--arch", architecture, reference).strip()
        try:
            yield Path(self.run("buildah", "mount", container).strip())
        finally:
            self.run("buildah", "rm", container)

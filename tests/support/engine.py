"""The container engine of this machine, if one answers, and tiny images for it."""

import contextlib
import io
import os
import random
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flops_local_oakestra.adapters.engine import Engine, EngineError

ROOT = Path(__file__).parents[2]
APPLETS = ("sh", "cat", "echo", "env", "ls", "nc", "printf", "sleep")


class TestEngine:
    """An engine and the images that tests made in it."""

    __test__ = False

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables
        self.engine = Engine(variables.get("FLOPS_LOCAL_ENGINE", "docker"), variables)
        self._busybox = b""
        self._images: list[str] = []

    def call(self, *words: str) -> str:
        return self.engine.call(*words)

    def output(self, *words: str) -> str:
        """Return the engine's output, whatever its exit code."""
        return self.engine.output(*words).decode()

    def containers(self, world: str) -> list[str]:
        """Return the names of a world's containers, ended ones included."""
        label = f"label=flops.world={world}"
        return self.call("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()

    def networks(self) -> list[str]:
        return self.call("network", "ls", "--format", "{{.Name}}").split()

    def image(self, reference: str, script: str) -> str:
        """Make an image of a shell with a few programs, which runs ``script``."""
        self._busybox = self._busybox or busybox()
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(_tar(self._busybox, script))
            file.flush()
            command = 'ENTRYPOINT ["/bin/sh", "/script"]'
            self.call("import", "--change", command, file.name, reference)
        self._images.append(reference)
        return reference

    def remove_images(self) -> None:
        for reference in self._images:
            with contextlib.suppress(EngineError):
                self.call("image", "rm", "--force", reference)


@contextlib.contextmanager
def engine_of_this_machine() -> Iterator[TestEngine]:
    """Yield the engine of this machine, or that which DOCKER_HOST names; skip without one.

    `make test-containers` starts one of its own. With FLOPS_LOCAL_ENGINE=podman it is podman's.
    """
    variables = dict(os.environ)
    if os.environ.get("FLOPS_TEST_CONTAINERS") == "1":
        home = Path(os.environ.get("FLOPS_HOME") or ROOT / ".flops").resolve()
        variables.setdefault("DOCKER_HOST", f"unix://{home}/containers/docker.sock")
    engine = TestEngine(variables)
    try:
        engine.call("ps", "--quiet")
    except EngineError as error:
        pytest.skip(f"no container engine answers: {error}")
    try:
        yield engine
    finally:
        engine.remove_images()


def free_bridge(engine: TestEngine) -> str:
    """Return the first two octets of a network that the engine does not have."""
    taken = engine.networks()
    candidates = [f"10.{number}" for number in range(100, 200)]
    return random.choice([p for p in candidates if f"flops-{p.replace('.', '-')}" not in taken])


def busybox() -> bytes:
    """Return a static busybox, of this machine or of Debian's packages; skip without one."""
    here = shutil.which("busybox")
    if here and b"ld-linux" not in Path(here).read_bytes():
        return Path(here).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        try:
            download = ["apt-get", "download", "-q", "busybox-static"]
            subprocess.run(download, cwd=folder, check=True, capture_output=True, timeout=120)
            (package,) = Path(folder).glob("*.deb")
            unpack = ["dpkg-deb", "-x", package, folder]
            subprocess.run(unpack, check=True, capture_output=True, timeout=120)
            return (Path(folder) / "bin" / "busybox").read_bytes()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            pytest.skip(f"no busybox to make images of: {error}")


def _tar(program: bytes, script: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in (("bin/busybox", program), ("script", f"{script}\n".encode())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return content.getvalue()

"""Everything together: an engine, base images for it, FLOps' images, and the suite."""

import json
import os
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from containers.bench.base_image import base_context
from containers.bench.engine import Engine
from containers.bench.packages import ensure_packages, ensure_plugins
from containers.bench.shell import BenchError, run, say, succeeds, timed
from containers.bench.suite import LOCAL, PARTS, ROOT, Suite

PYTHON: Final = "docker.io/library/python:3.11-slim"
DEBIAN: Final = "docker.io/library/debian:bookworm-slim"
REGISTRY: Final = "docker.io/library/registry:2.8.3"
DOCKER: Final = "docker.io/library/docker:28-cli"
TAKEN: Final = {
    REGISTRY: ("/usr/bin/docker-registry", "/bin/registry"),
    DOCKER: ("/usr/bin/docker", "/usr/local/bin/docker"),
}
"""Images of which ours take one program: where Debian's packages put it, and where it is there."""
PARTS_IMAGE: Final = "flops-test/parts:latest"
BUILD_SECONDS: Final = 1800

TAKING_DOCKERFILE: Final = f"""\
FROM {PARTS_IMAGE} AS parts
FROM scratch
ARG SOURCE TARGET
COPY --from=parts $SOURCE $TARGET
"""


def bench_folder() -> Path:
    """Return where the bench keeps its engine's data and what it made."""
    home = Path(os.environ.get("FLOPS_HOME") or ROOT / ".flops")
    return home.resolve() / "containers"


class Bench:
    """Set up by ``start``; what it made stays in its folder, so that the next time is fast."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine(folder, folder / "docker")
        self.has_parts = False

    def start(self) -> None:
        """Install what is missing, start the engine and see to base images."""
        if os.geteuid() != 0:
            raise BenchError("an engine of its own needs root")
        with timed("seeing to the packages of this machine"):
            ensure_packages()
            ensure_plugins(self.folder)
        self.engine.start()
        marker = self.folder / "made-from-packages"
        self.has_parts = marker.exists() or not self._can_pull(PYTHON)
        if self.has_parts:
            marker.touch()
            say("no image can be pulled here: base images are made from Debian's packages,")
            say("and secantusdb takes the place of MongoDB, of which there is no package")
            with timed("making base images"):
                self._make_base_images()

    def build_images(self) -> str:
        """Build all of FLOps' images and return the table of their sizes."""
        script = ROOT / "compose" / "images.py"
        # What was made here has no digest of a registry.
        bases = {"PYTHON": PYTHON, "DEBIAN": DEBIAN, "REGISTRY": REGISTRY, "DOCKER": DOCKER}
        words = [f"{name}_IMAGE={image}" for name, image in bases.items() if self.has_parts]
        arguments = [word for argument in words for word in ("--build-arg", argument)]
        with timed("building FLOps' images"):
            table = run(
                [sys.executable, script, *arguments],
                seconds=BUILD_SECONDS,
                env=self.engine.environment,
            )
        print(table, file=sys.stderr)  # noqa: T201 - one of the results
        return table

    def suite(self) -> Suite:
        """Return the suite, not started."""
        files = (LOCAL, PARTS) if self.has_parts else (LOCAL,)
        suite = Suite(self.engine, self.folder / "suite.env", files)
        suite.write_environment(
            self.bridge_address,
            # Published everywhere, beside whatever else runs here: not at the usual ports.
            FLOPS_LOCAL_DATA_PORT="11127",
            FLOPS_PROMETHEUS_PORT="5190",
        )
        return suite

    def drop_data(self) -> None:
        """Remove what data servers stored: their volumes are the node's, not a suite's."""
        names = self.engine.docker("volume", "ls", "--quiet", "--filter", "name=ml_data_server")
        if names.strip():
            self.engine.docker("volume", "rm", *names.split())

    @property
    def bridge_address(self) -> str:
        """The engine's own address on its default bridge: containers reach this machine there.

        An engine that made the bridge itself, at its very first start, leaves the gateway out; it
        took the first address of the subnet.
        """
        form = "{{json (index .IPAM.Config 0)}}"
        bridge = json.loads(self.engine.docker("network", "inspect", "bridge", "--format", form))
        return bridge.get("Gateway") or str(ip_network(bridge["Subnet"])[1])

    def publish(self, port: int) -> str:
        """Return docker's words for publishing a port on its bridge."""
        return f"{self.bridge_address}:{port}:{port}"

    def stop(self) -> None:
        """Stop the engine."""
        self.engine.stop()

    def _can_pull(self, reference: str) -> bool:
        return succeeds(
            ["docker", "pull", "--quiet", reference], seconds=120, env=self.engine.environment
        )

    def _make_base_images(self) -> None:
        context = base_context(self.folder)
        self._build(PYTHON, "--file", context / "Dockerfile", context)
        self.engine.docker("tag", PYTHON, DEBIAN)
        say("building what takes the place of images of others")
        self._build(PARTS_IMAGE, "--file", ROOT / "tests/containers/parts/Dockerfile", ROOT)
        taking = self.folder / "taking"
        taking.mkdir(exist_ok=True)
        (taking / "Dockerfile").write_text(TAKING_DOCKERFILE)
        for image, (source, target) in TAKEN.items():
            places = ("--build-arg", f"SOURCE={source}", "--build-arg", f"TARGET={target}")
            self._build(image, *places, taking)

    def _build(self, reference: str, *words: str | Path) -> None:
        build = ("build", "--quiet", "--tag", reference)
        self.engine.docker(*build, *words, seconds=BUILD_SECONDS)

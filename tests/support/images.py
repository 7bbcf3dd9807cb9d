"""A world for images: a real registry with a password, and tiny base images made of this Python."""

import base64
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from flops_contracts.version import VERSION
from support.broker import free_port, is_listening
from support.waiting import until

PROGRAMS = ("buildah", "skopeo", "docker-registry", "ldd", "perl")
PLATFORMS = "linux/amd64,linux/arm64"
USER, PASSWORD = "flops", "only-for-this-test"

_REGISTRY = """
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
http: {{addr: "127.0.0.1:{port}"}}
auth:
  htpasswd: {{realm: test, path: {folder}/htpasswd}}
"""
_BASE = """
FROM scratch
COPY rootfs/ /
COPY flops/ /flops/
ENV PATH={path}:/usr/bin:/bin PYTHONPATH=/flops/src:/flops/code:/flops/site
LABEL flops.requirements=/flops/requirements.in flops.python=/flops/python-version
LABEL flops.site=/flops/site flops.code=/flops/code
HEALTHCHECK CMD ["python", "-V"]
USER 10001:10001
WORKDIR /flops/code
ENTRYPOINT ["python", "-m", "{module}"]
"""
_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "test", "tests", "idlelib", "tkinter", "ensurepip", "config-*", "*-packages"
)


def missing_programs() -> list[str]:
    """Return what this machine lacks for these tests."""
    lacking = [program for program in PROGRAMS if not shutil.which(program)]
    return lacking if os.geteuid() == 0 else [*lacking, "root"]


class ImageRegistry:
    """Debian's docker-registry on a free port; it survives being stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        script = 'print "$ARGV[0]:", crypt($ARGV[1], q($2b$05$abcdefghijklmnopqrstuu)), "\\n"'
        line = subprocess.check_output(["perl", "-e", script, USER, PASSWORD], timeout=120)
        (folder / "htpasswd").write_bytes(line)
        (folder / "config.yml").write_text(_REGISTRY.format(folder=folder, port=self.port))
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.auth_file = folder / "auth.json"
        self.auth_file.write_text(json.dumps({"auths": {self.address: {"auth": login}}}))

    def start(self, largest_file: str = "unlimited") -> None:
        """Start it; with a largest file, it breaks in the middle of the first larger upload."""
        limit = ["prlimit", f"--fsize={largest_file}"]
        self._process = subprocess.Popen(
            [*limit, "docker-registry", "serve", str(self._folder / "config.yml")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: is_listening(self.port), what="the registry listens")

    def stop(self) -> None:
        """Stop it; what it stored stays."""
        if self._process:
            self._process.kill()
            self._process.wait(300)

    def skopeo(self, *arguments: str) -> str:
        """Return what skopeo prints; raise when it fails."""
        login = ["--authfile", str(self.auth_file), "--tls-verify=false"]
        argv = ["skopeo", arguments[0], *login, *arguments[1:]]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout

    def manifest(self, reference: str) -> dict:
        """Return an image's manifest or list."""
        return dict(json.loads(self.skopeo("inspect", "--raw", f"docker://{reference}")))

    def image(self, reference: str, architecture: str) -> dict:
        """Return the manifest of one platform of an image."""
        entries = self.manifest(reference)["manifests"]
        digests = {entry["platform"]["architecture"]: entry["digest"] for entry in entries}
        return self.manifest(f"{reference.rpartition(':')[0]}@{digests[architecture]}")

    def layers(self, reference: str, architecture: str = "amd64") -> list[str]:
        """Return the digests of an image's layers."""
        return [layer["digest"] for layer in self.image(reference, architecture)["layers"]]

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, none if it is unknown."""
        try:
            answer = self.skopeo("list-tags", f"docker://{self.address}/{repository}")
        except subprocess.CalledProcessError:
            return []
        return list(json.loads(answer)["Tags"])


class Storage:
    """A storage of buildah in a folder."""

    def __init__(self, folder: Path, registry: ImageRegistry) -> None:
        self.folder = folder
        self._registry = registry

    def buildah(self, *arguments: str) -> str:
        """Return what buildah prints."""
        argv = ["buildah", "--root", f"{self.folder}/images", "--runroot", f"{self.folder}/run"]
        login = {"REGISTRY_AUTH_FILE": str(self._registry.auth_file)}
        return subprocess.run(
            [*argv, *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **login},
        ).stdout.strip()

    def run_python(self, reference: str, *arguments: str) -> str:
        """Return what the Python of an image from the registry prints."""
        container = self.buildah("from", "--tls-verify=false", reference)
        try:
            call = ("--isolation", "chroot", container, "--", "python", *arguments)
            return self.buildah("run", *call)
        finally:
            self.buildah("rm", container)
            self.buildah("rmi", reference)

    def remove(self) -> None:
        """Remove everything; the storage mounts its own folder."""
        for name in ("images/overlay", "images"):
            subprocess.run(["umount", f"{self.folder}/{name}"], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def push_base(storage: Storage, folder: Path, service: str, requirements: str, check: str) -> str:
    """Make and push a tiny base image for two platforms; return its reference."""
    module = f"flops_{service.replace('-', '_')}"
    context = folder / service
    python = _copy_python(context / "rootfs")
    package = context / "flops/src" / module
    for name in ("code", "site"):
        (context / "flops" / name).mkdir(parents=True)
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(check)
    (context / "flops/requirements.in").write_text(requirements)
    (context / "flops/python-version").write_text(f"{platform.python_version()}\n")
    (context / "Dockerfile").write_text(_BASE.format(path=python.parent, module=module))
    reference = f"{storage._registry.address}/suite/{service}:{VERSION}"
    kind = ("--format", "docker", "--platform", PLATFORMS)
    storage.buildah("build", "--isolation=chroot", *kind, "--manifest", service, str(context))
    storage.buildah(
        "manifest", "push", "--all", "--tls-verify=false", service, f"docker://{reference}"
    )
    return reference


def _copy_python(root: Path) -> Path:
    """Copy this Python to the place that it has here; return where that is."""
    name = f"python3.{sys.version_info.minor}"
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, root / library.relative_to("/"), ignore=_LEFT_OUT, symlinks=False)
    place = executable.with_name(name)
    _copy(executable, root / place.relative_to("/"))
    (root / place.relative_to("/")).with_name("python").symlink_to(name)
    for binary in (executable, *(library / "lib-dynload").glob("*.so")):
        for needed in _libraries(binary):
            _copy(needed, root / needed.relative_to("/"))
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text("flops:x:10001:10001::/tmp:/bin/false\n")
    (root / "tmp").mkdir(exist_ok=True)
    return place


def _libraries(binary: Path) -> list[Path]:
    said = subprocess.run(["ldd", binary], capture_output=True, text=True, timeout=120, check=False)
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said.stdout)]


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

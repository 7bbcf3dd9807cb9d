"""Worlds for builds: base images made from this checkout, and git repositories to build."""

import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from flops_contracts.bundles import Bundle, write_bundle
from flops_contracts.version import VERSION

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs/examples/ml-repos/mnist-sklearn"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")
PREFIX = "ghcr.io/oakestra/addon-flops"


class Reports:
    """Remembers the messages of a build."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notices: list[str] = []

    def progress(
        self,
        message: str,
        done: float = 0,
        total: float | None = None,
        unit: str = "",
    ) -> None:
        self.steps.append(message)

    def notice(self, message: str) -> None:
        self.notices.append(message)


def register_base(store: Path, folder: Path, service: str) -> None:
    """Register a service of this checkout as base image, as ``flops local up`` does."""
    projects = list(_projects(ROOT / "services" / service))
    requirements = dict.fromkeys(line for lines in projects for line in lines[1])
    file = folder / f"{service}.requirements.in"
    file.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
    # A copy, because a base that changes while a test runs is another base.
    sources = folder / f"{service}.sources"
    for path in dict.fromkeys(path for path, _ in projects):
        shutil.copytree(path / "src", sources, ignore=LEFT_OUT, dirs_exist_ok=True)
    labels = {"requirements": str(file), "sources": str(sources)}
    write_bundle(store, Bundle(f"{PREFIX}/{service}:{VERSION}", ("true",), labels=labels))


def _projects(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Walk a project and the local ones that it depends on: folder and foreign requirements."""
    document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    local = document.get("tool", {}).get("uv", {}).get("sources", {})
    lines = document["project"]["dependencies"]
    yield folder, [line for line in lines if not line.startswith("flops-")]
    for line in lines:
        if line.startswith("flops-"):
            yield from _projects((folder / local[Requirement(line).name]["path"]).resolve())


def git(folder: Path, *arguments: str) -> str:
    """Run git in ``folder`` as an invented user."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    argv = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout


def a_repository(
    folder: Path, changes: Mapping[str, str | None] | None = None, source: Path = SAMPLE
) -> str:
    """Make a git repository of ``source`` with files changed, or removed for None; its URL."""
    shutil.copytree(source, folder, ignore=LEFT_OUT)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, changes or {})
    return folder.as_uri()


def commit(folder: Path, changes: Mapping[str, str | None]) -> str:
    """Change files, or remove them for None, and commit; return the commit."""
    for name, text in changes.items():
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Change")
    return git(folder, "rev-parse", "HEAD").strip()

"""Makes a git repository from a folder, for the demo; equal content gives the same commit."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flops_cli.errors import LocalSuiteError

GIT_SECONDS: Final = 60.0
_WHEN: Final = "2024-01-01T00:00:00Z"


def make_repository(source: Path, folder: Path, variables: Mapping[str, str]) -> str:
    """Commit a copy of ``source`` to a new repository at ``folder``; return its file:// URL."""
    if not source.is_dir():
        raise LocalSuiteError(f"there is no sample repository at {source}")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    person = {"NAME": "FLOps demo", "EMAIL": "demo@localhost", "DATE": _WHEN}
    author = {f"GIT_AUTHOR_{key}": value for key, value in person.items()}
    committer = {f"GIT_COMMITTER_{key}": value for key, value in person.items()}
    env = {
        "PATH": variables.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        # The user's git settings (signing, hooks, templates) must not change the commit.
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **author,
        **committer,
    }
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=A sample repository"],
    ):
        _git(folder, arguments, env)
    return folder.as_uri()


def _git(folder: Path, arguments: list[str], env: Mapping[str, str]) -> None:
    try:
        ended = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalSuiteError(f"git {arguments[0]}: {error}", hint="The demo needs git.") from error
    if ended.returncode != 0:
        raise LocalSuiteError(f"git {arguments[0]} failed: {ended.stderr.strip()}")

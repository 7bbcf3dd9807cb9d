"""`make release` in a clone: what it writes, and when it refuses."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PERSON = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.org"))
}
CHANGE = "## Unreleased\n\n### Fixed\n\n- Something that users notice.\n"


def git(clone, *words):
    argv = ["git", "-C", clone, *words]
    environment = {**os.environ, **PERSON}
    done = subprocess.run(
        argv, capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    return done.stdout.strip()


def release(clone, version):
    script = [sys.executable, clone / ".ci" / "release.py", version]
    environment = {**os.environ, **PERSON}
    return subprocess.run(
        script, capture_output=True, text=True, check=False, timeout=120, env=environment
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone in which one change waits for its release."""
    folder = tmp_path_factory.mktemp("release") / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--shared", "--no-tags", ROOT, folder], check=True, timeout=120
    )
    changelog = folder / "CHANGELOG.md"
    text = changelog.read_text()
    changelog.write_text(
        re.sub(r"## Unreleased\n.*?(?=\n## )", CHANGE, text, count=1, flags=re.DOTALL)
    )
    git(folder, "commit", "--quiet", "--all", "--message", "Fix something")
    return folder


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("", "is not a version"),
        ("1.2", "is not a version"),
        ("v9.0.0", "is not a version"),
        ("9.0.0rc1", "is not a version"),
        ("0.0.1", "does not come after"),
    ],
)
def test_a_bad_version_is_refused(clone, version, reason):
    ended = release(clone, version)

    assert (ended.returncode, reason in ended.stderr) == (1, True)
    assert git(clone, "status", "--porcelain") == ""


def test_nothing_is_released_from_a_tree_with_changes(clone):
    (clone / "notes.txt").touch()

    ended = release(clone, "9.0.0")

    (clone / "notes.txt").unlink()
    assert (ended.returncode, "notes.txt" in ended.stderr) == (1, True)


def test_a_release_is_a_commit_with_a_tag_and_nothing_is_left_to_release(clone):
    ended = release(clone, "9.0.0")

    assert ended.returncode == 0, ended.stderr
    assert git(clone, "describe", "--exact-match") == "v9.0.0"
    assert git(clone, "status", "--porcelain") == ""
    assert (
        'VERSION = "9.0.0"'
        in (clone / "shared/contracts/src/flops_contracts/version.py").read_text()
    )
    assert "`9.0.0`" in (clone / "docs/settings.md").read_text()
    assert "manager:${FLOPS_IMAGE_TAG:-9.0.0}" in (clone / "compose/management.yml").read_text()
    changelog = (clone / "CHANGELOG.md").read_text()
    assert re.search(
        r"## Unreleased\n\n## 9\.0\.0 - \d{4}-\d\d-\d\d\n\n### Fixed\n\n- Something", changelog
    )
    again = release(clone, "9.0.1")
    assert (again.returncode, "nothing under 'Unreleased'" in again.stderr) == (1, True)

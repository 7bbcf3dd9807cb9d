# ruff: noqa: INP001 - a script, not a package
"""Makes a release: ``make release VERSION=1.2.3``.

It writes the version and the date of the changelog, generates the pages that name the version, and
commits and tags all of it. Nothing is pushed. It refuses before it writes anything.
"""

import argparse
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
VERSION_FILE: Final = ROOT / "shared/contracts/src/flops_contracts/version.py"
CHANGELOG: Final = ROOT / "CHANGELOG.md"
VERSION: Final = re.compile(r"^VERSION = \"(\d+\.\d+\.\d+)\"$", re.MULTILINE)
UNRELEASED: Final = "## Unreleased\n"


class ReleaseError(Exception):
    """There can be no such release now."""


def git(*words: str) -> str:
    """Return what git prints."""
    argv = ["git", "-C", str(ROOT), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def numbers(version: str) -> tuple[int, ...]:
    """Return the parts of a version; raise ``ReleaseError`` if it has not exactly three."""
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        raise ReleaseError(f"{version!r} is not a version: write three numbers, as in 1.2.3")
    return tuple(int(part) for part in version.split("."))


def version_in(text: str) -> str:
    """Return the version that version.py states."""
    match = VERSION.search(text)
    if not match:
        raise ReleaseError(f'{VERSION_FILE} has no line VERSION = "..."')
    return match[1]


def released(changelog: str, version: str, day: date) -> str:
    """Return the changelog with what was unreleased under ``version``."""
    before, heading, rest = changelog.partition(UNRELEASED)
    changes = rest.partition("\n## ")[0].strip()
    if not heading or "- " not in changes:
        raise ReleaseError("CHANGELOG.md has nothing under 'Unreleased'")
    return f"{before}{heading}\n## {version} - {day.isoformat()}\n{rest}"


def check(version: str) -> None:
    """Raise ``ReleaseError`` unless ``version`` can be released from what lies here."""
    current = version_in(VERSION_FILE.read_text())
    if numbers(version) <= numbers(current):
        raise ReleaseError(f"{version} does not come after {current}")
    if git("tag", "--list", f"v{version}"):
        raise ReleaseError(f"the tag v{version} exists already")
    if changes := git("status", "--porcelain"):
        raise ReleaseError(f"commit or remove these changes first:\n{changes.rstrip()}")


def release(version: str) -> None:
    """Write, commit and tag it."""
    check(version)
    today = datetime.now(UTC).date()
    changelog = released(CHANGELOG.read_text(), version, today)
    CHANGELOG.write_text(changelog)
    VERSION_FILE.write_text(VERSION.sub(f'VERSION = "{version}"', VERSION_FILE.read_text()))
    sources = map(str, [*ROOT.glob("shared/*/src"), *ROOT.glob("services/*/src")])
    subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py"],
        check=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sources)},  # noqa: TID251 - passed on
    )
    git("commit", "--quiet", "--all", "--message", f"Release {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"FLOps {version}")


def main() -> None:
    """Release the version on the command line, or explain why that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="such as 1.2.3")
    version = parser.parse_args().version
    try:
        release(version)
    except ReleaseError as error:
        sys.exit(str(error))
    print(f"Released {version}. Publish it with: git push --follow-tags")  # noqa: T201 - the result


if __name__ == "__main__":
    main()

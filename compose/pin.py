# ruff: noqa: INP001 - a script beside the files that it is for, no package
"""Pins every image of others to the digest that its tag has now: what ``make pin`` runs.

It asks the registries (with docker's buildx) and rewrites Dockerfiles, compose files and the
addon's manifest.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FILES: Final = (
    *sorted(ROOT.glob("services/*/Dockerfile")),
    ROOT / "addon" / "Dockerfile",
    ROOT / "addon" / "manifest.json",
    ROOT / "compose" / "image-registry" / "Dockerfile",
    ROOT / "compose" / "management.yml",
)
REFERENCE: Final = re.compile(
    r"(?P<tag>docker\.io/[\w./-]+:[\w.-]+)(?:@(?P<digest>sha256:\w{64}))?"
)
SECONDS: Final = 120


def digests_in(text: str) -> dict[str, str]:
    """Return the digest of every image of others that ``text`` names; empty if it has none."""
    return {match["tag"]: match["digest"] or "" for match in REFERENCE.finditer(text)}


def pinned(text: str, digests: Mapping[str, str]) -> str:
    """Return ``text`` with the given digests."""
    return REFERENCE.sub(lambda match: f"{match['tag']}@{digests[match['tag']]}", text)


def current_digest(tag: str) -> str:
    """Ask the registry for the digest of all platforms of ``tag``; end if it does not answer."""
    form = "{{.Manifest.Digest}}"
    inspection = subprocess.run(
        ["docker", "buildx", "imagetools", "inspect", "--format", form, tag],
        check=False,
        timeout=SECONDS,
        stdout=subprocess.PIPE,
        text=True,
    )
    if inspection.returncode:
        sys.exit(f"no digest of {tag}: is docker's buildx installed, and the registry in reach?")
    return inspection.stdout.strip()


def main() -> None:
    """Pin all images; nothing is written before every registry has answered."""
    texts = {file: file.read_text() for file in FILES}
    tags = sorted({tag for text in texts.values() for tag in digests_in(text)})
    digests = {tag: current_digest(tag) for tag in tags}
    for file, text in texts.items():
        file.write_text(pinned(text, digests))
    print(*(f"{tag}@{digest}" for tag, digest in digests.items()), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()

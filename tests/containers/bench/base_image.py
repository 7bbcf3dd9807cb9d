"""Base images made of Debian's packages, for machines that can pull none."""

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Final

from containers.bench.packages import mirror_lines
from containers.bench.shell import run, say

INCLUDED: Final = (
    *("python3", "python3-venv", "netbase", "tzdata"),
    # What wheels with native code link to; python's own images have it, too.
    "libstdc++6",
    # In place of usrmerge, which brings all of Perl.
    "usr-is-merged",
)

STRIPPED: Final = ("doc", "man", "info", "locale")
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")

DOCKERFILE: Final = """\
FROM scratch
ADD rootfs.tar /
COPY ca-certificates.crt /etc/ssl/certs/
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 \\
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
CMD ["python"]
"""
"""This machine's own certificates go in: it may stand behind something that opens TLS."""

WHOLE: Final = ("--variant=apt", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr")
UNPACKED: Final = ("--variant=extract", "--architectures=arm64")
"""No package's script is run, so that no emulation is needed."""


def base_context(folder: Path, how: tuple[str, ...] = WHOLE, suite: str = "bookworm") -> Path:
    """Return a build context of a Debian with Python 3.11, made once and kept in ``folder``."""
    sources = "\n".join(mirror_lines(suite)) + "\n"
    key = sha256(repr((sources, INCLUDED, STRIPPED, how, suite)).encode()).hexdigest()[:12]
    context = folder / f"base-{key}"
    rootfs = context / "rootfs.tar"
    if not rootfs.exists():
        say("making a base image from Debian's packages (about a minute)")
        context.mkdir(parents=True, exist_ok=True)
        unfinished = context / "unfinished.tar"
        excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in STRIPPED]
        run(
            [
                *("mmdebstrap", "--mode=root", "--dpkgopt=force-unsafe-io", *how, *excluded),
                *('--aptopt=Acquire::Languages "none"', f"--include={','.join(INCLUDED)}"),
                '--customize-hook=ln -sf python3 "$1/usr/bin/python"',
                *(suite, unfinished, "-"),
            ],
            seconds=600,
            text=sources,
        )
        unfinished.rename(rootfs)
    shutil.copyfile(os.path.realpath(CERTIFICATES), context / CERTIFICATES.name)
    (context / "Dockerfile").write_text(DOCKERFILE)
    return context

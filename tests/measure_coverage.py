"""Measure which lines the tests execute, in all processes: ``make coverage WHAT=tests/e2e``.

Services run in environments of their own, with few variables of ours. So a path file in each
environment starts the measuring whenever its Python starts, as long as this program runs.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import coverage

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / ".flops" / "coverage"
CONFIGURATION: Final = FOLDER / "configuration.ini"
NAME: Final = "flops_coverage.pth"


def configuration() -> str:
    """Return coverage.py's settings; processes that are asked to end write their data."""
    sources = "\n    ".join(str(path) for path in sorted(ROOT.glob("s*/*/src")))
    return f"""\
[run]
parallel = true
sigterm = true
patch = _exit
concurrency = thread,multiprocessing
data_file = {FOLDER / "data"}
source =
    {sources}

[report]
skip_covered = true
skip_empty = true
show_missing = true
"""


def site_folders() -> list[Path]:
    """Return where Python looks for packages in each environment, those of built images too."""
    homes = [ROOT / ".venv", *ROOT.glob(".flops/envs/*"), *ROOT.glob(".flops/images/envs/*")]
    return [site for home in homes for site in home.glob("lib/python3*/site-packages")]


@contextmanager
def measured_everywhere() -> Iterator[None]:
    """Measure every Python of the existing environments."""
    own = Path(coverage.__file__).parents[1]
    # At the end of its path: nothing else of the developers' environment is found first.
    line = (
        f"import os, sys; os.environ['COVERAGE_PROCESS_START'] = {str(CONFIGURATION)!r}; "
        f"sys.path.append({str(own)!r}); import coverage; sys.path.remove({str(own)!r}); "
        "coverage.process_startup()\n"
    )
    files = [site / NAME for site in site_folders()]
    try:
        for file in files:
            file.write_text(line)
        yield
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments, and report the lines that were not executed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("data*"):
        old.unlink()
    CONFIGURATION.write_text(configuration())
    with measured_everywhere():
        code = subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    tool = [sys.executable, "-m", "coverage"]
    options = [f"--rcfile={CONFIGURATION}"]
    subprocess.run([*tool, "combine", "--quiet", *options], check=True)
    subprocess.run([*tool, "html", "--quiet", *options, "-d", FOLDER / "html"], check=True)
    subprocess.run([*tool, "report", *options], check=True)
    print(f"Line by line: {os.path.relpath(FOLDER / 'html' / 'index.html')}")  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

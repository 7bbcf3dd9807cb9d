"""The generated pages of docs/ are up to date with the code."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_generated_pages_are_up_to_date():
    check = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (check.stdout.split(), check.stderr) == ([], ""), "run `make docs`"

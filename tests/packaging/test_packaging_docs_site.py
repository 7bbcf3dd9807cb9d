"""The documentation builds as a site: links lead somewhere, and nothing comes from other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=\"?(https?://[^\"\s>]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_there(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in ROOT.glob("docs/**/*.md")}
    built = {path.relative_to(site).with_suffix("") for path in site.glob("**/*.html")}

    missing = {page for page in pages if page.name != "README"} - built
    assert missing == set()


def test_the_site_loads_nothing_from_elsewhere(site):
    loaded = {
        address for page in site.glob("**/*.html") for address in LOADED.findall(page.read_text())
    }
    assert {item for item in loaded if "canonical" not in item} == set()


def test_diagrams_are_drawn(site):
    page = (site / "lifecycle.html").read_text()

    assert "<svg" in page
    assert "stateDiagram-v2" not in page

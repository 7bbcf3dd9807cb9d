"""Hooks of MkDocs: diagrams as pictures, and what pages link to outside of docs/ comes along."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import mermaidx
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
LINK: Final = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
FENCE: Final = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List all decisions, and have Mermaid drawn now: its own script would come from a CDN."""
    decisions = sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))
    config.nav = [*(config.nav or []), {"Decisions": [f"adr/{name}" for name in decisions]}]
    fence = {"name": "mermaid", "class": "mermaid", "format": _drawn}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    return config


def _drawn(source: str, *_: Any, **__: Any) -> str:
    return f'<div class="diagram">{mermaidx.render(source).svg()}</div>'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page, and whatever a page links to outside of docs/."""
    files.append(_added(config, "README.md"))
    waiting = [(file, _path_of(file)) for file in files.documentation_pages()]
    while waiting:
        file, path = waiting.pop()
        for target in sorted(set(_targets(file.content_string, path))):
            if not target.startswith("docs/") and _uri(target) not in files.src_uris:
                added = _added(config, target)
                files.append(added)
                if target.endswith(".md"):
                    waiting.append((added, target))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    path = _path_of(page.file)
    here = posixpath.dirname(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        target = _target(link[2], path)
        if not target:
            return link[0]
        return f"{link[1]}{posixpath.relpath(_uri(target), here or '.')}{link[3]}"

    return LINK.sub(moved, markdown)


def _added(config: MkDocsConfig, path: str) -> File:
    level = InclusionLevel.INCLUDED if _uri(path) == "index.md" else InclusionLevel.NOT_IN_NAV
    return File.generated(config, _uri(path), abs_src_path=str(ROOT / path), inclusion=level)


def _targets(markdown: str, path: str) -> Iterator[str]:
    for link in LINK.finditer(FENCE.sub("", markdown)):
        if target := _target(link[2], path):
            yield target


def _target(address: str, path: str) -> str:
    """Return the file of the repository that ``address`` on the page ``path`` is, or nothing.

    A folder is its README.
    """
    if ":" in address or address.startswith("/"):
        return ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), address))
    if (ROOT / target / "README.md").is_file():
        target = f"{target}/README.md"
    return target if (ROOT / target).is_file() else ""


def _path_of(file: File) -> str:
    return Path(str(file.abs_src_path)).relative_to(ROOT).as_posix()


def _uri(path: str) -> str:
    """Return what a file of the repository is called below the site's pages."""
    if path == "README.md":
        return "index.md"
    return path.removeprefix("docs/") if path.startswith("docs/") else f"repository/{path}"

"""The blocks of code in the documentation, with the marks in comments above them.

``<!-- needs: a cluster -->``: only somebody who has that can run it. ``<!-- tested by: PATH -->``:
that test runs it, or what it stands for. ``<!-- world: two clusters -->``: it runs there. Without
any of them the commands of a page run in a world of one node, in one shell, from top to bottom.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/tutorials/*.md"),
        *ROOT.glob("docs/examples/**/README.md"),
        *ROOT.glob("services/*/README.md"),
        *ROOT.glob("shared/*/README.md"),
    ]
)
BLOCK = re.compile(
    r"(?:^<!-- (?P<key>[a-z ]+): (?P<value>[^\n]+) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class DocBlock:
    """A fenced block: ``page`` is relative to the repository, ``line`` that of its fence."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    value: str = ""

    @property
    def runs(self) -> bool:
        """True if the tests of the documentation run it."""
        return self.language == "sh" and self.mark in {"", "world"}


def blocks() -> Iterator[DocBlock]:
    """Yield all blocks of all pages."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("language")) + 1
            yield DocBlock(
                path.relative_to(ROOT).as_posix(),
                line,
                match["language"],
                match["text"],
                match["key"] or "",
                match["value"] or "",
            )

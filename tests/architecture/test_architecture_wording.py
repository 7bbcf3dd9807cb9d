"""Plain English in code and pages: wordings that are easy to write and hard to read.

``python tests/architecture/test_architecture_wording.py [FOLDER ...]`` prints each hit.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    str(path.relative_to(ROOT))
    for pattern in (
        "services/*",
        "shared/*",
        "tests/*",
        ".ci",
        ".github",
        "addon",
        "compose",
        "docs",
        "Makefile",
        "*.md",
    )
    for path in ROOT.glob(pattern)
    if path.name != "__pycache__"
)
TEXTS = {".css", ".html", ".js", ".md", ".sh", ".toml", ".yaml", ".yml"}
LONGEST_LINE = 200

NAMES = {
    "one": "a noun that says what it is: `service`, `event`, `line`",
    **dict.fromkeys(
        ("asked", "found", "kept", "known", "there", "told", "wanted"),
        "a noun that says what it holds: `replies`, `labels`, `requested_tags`",
    ),
}
FIRST_WORDS = {
    "Say": "Return whether ...",
    "Tell": "Return ..., Report ...",
    "Hear": "Called when ..., Subscribe to ...",
    "Let": "the verb itself",
    "Whether": "Return whether ...",
    "What": "a noun",
    "Who": "a noun",
}
# "There is no", "is no longer" and "is no more than" are English.
WORDINGS = {
    r"(?<!there )\b(?:is|are|was|were) no(?! (?:longer|more|less|fewer|\w+er than))\s[a-z]+": (
        "is not a ..., has no ..., there is no ..."
    ),
    r"\bno numbers?\b": "is not a number, NaN or infinite",
    r"\banew\b": "again",
    r"\baloud\b": "with a warning, in the log",
    r"\blest\b": "so that ... not",
    r"\bmend(?:s|ed|ing)?\b": "repair, fix",
    r"\bwho(?:so)?ever\b": "the caller, anybody that",
    r"\bhow-maniest\b": "the index of",
}
PATTERNS = {re.compile(pattern, re.IGNORECASE): better for pattern, better in WORDINGS.items()}
# Where a wording stays: (path, what is written there), with the reason.
EXCEPTIONS = {
    # The key of the wire format.
    ("shared/grid/src/flops_grid/wire/transfer.py", "known"),
}


class Hit(NamedTuple):
    path: str
    line: int
    written: str
    better: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.written!r}; better: {self.better}"


def hits_in_text(path: str, text: str, first_line: int = 1) -> Iterator[Hit]:
    for pattern, better in PATTERNS.items():
        for match in pattern.finditer(text):
            line = first_line + text.count("\n", 0, match.start())
            yield Hit(path, line, " ".join(match.group().split()), better)


def hits_in_page(path: str, text: str) -> Iterator[Hit]:
    yield from hits_in_text(path, text)
    if path.endswith(".md"):
        for number, line in enumerate(text.splitlines(), 1):
            # A row of a table cannot be broken.
            if len(line) > LONGEST_LINE and not line.lstrip().startswith("|"):
                yield Hit(path, number, f"{len(line)} characters", "one or two sentences a line")


def hits_in_python(path: str, source: str) -> Iterator[Hit]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in {tokenize.OP, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT}:
            words = token.string.replace("_", " ") if token.type == tokenize.NAME else token.string
            yield from hits_in_text(path, words, token.start[0])
    for node in ast.walk(ast.parse(source)):
        name = _bound_name(node)
        if name in NAMES:
            yield Hit(path, node.lineno, name, NAMES[name])
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = (ast.get_docstring(node) or "").split(" ", 1)[0].removesuffix(",")
            if first in FIRST_WORDS:
                yield Hit(path, node.body[0].lineno, f"{first} ...", FIRST_WORDS[first])


def _bound_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return node.arg if isinstance(node, ast.arg) else ""


def hits(*folders: str) -> Iterator[Hit]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for path in listed.stdout.splitlines():
        file = ROOT / path
        if not file.is_file() or file == Path(__file__):
            continue
        if file.suffix == ".py":
            in_file = hits_in_python(path, file.read_text())
        elif file.suffix in TEXTS or file.name in {"Dockerfile", "Makefile"}:
            in_file = hits_in_page(path, file.read_text())
        else:
            continue
        yield from (hit for hit in in_file if (path, hit.written) not in EXCEPTIONS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_wordings_are_plain(folder: str) -> None:
    assert list(map(str, hits(folder))) == []


def test_hard_wordings_are_noticed() -> None:
    source = '''
def f(one):
    """Say whether that is no number."""
    found = [one for one in "abc"]  # anew, lest
'''
    assert sorted((hit.line, hit.written) for hit in hits_in_python("x.py", source)) == [
        (2, "one"),
        (3, "Say ..."),
        (3, "is no number"),
        (3, "no number"),
        (4, "anew"),
        (4, "found"),
        (4, "lest"),
        (4, "one"),
    ]


def test_ordinary_wordings_pass() -> None:
    text = "There is no limit. It is no longer there. It is no more than 3. Amend the recommended."
    assert list(hits_in_page("x.md", text)) == []


if __name__ == "__main__":
    sys.stdout.writelines(f"{hit}\n" for hit in hits(*sys.argv[1:]))

"""Redaction of this process's secrets in all logs, also if user code prints them.

Known are the values of variables by their names, what the files hold that ``..._FILE`` names, and
the passwords of URLs. What was derived from them, such as a header in base64, is not recognised.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

HIDDEN: Final = "***"
SHORTEST: Final = 8
"""Shorter values are words that stand in logs for other reasons."""

_NAMES: Final = re.compile(r"(TOKEN|PASSWORD|SECRET|SECRET_ACCESS_KEY|PRIVATE_KEY)(_FILE)?$")
_PEM_KEY: Final = "PRIVATE KEY-----"


class Secrets:
    """Values that are hidden wherever they stand."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        values = {item for item in _secrets_in(variables or {}) if len(item) >= SHORTEST}
        # A value may be a part of another.
        self._values = sorted(values, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return ``text`` without them."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text


def _secrets_in(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        named = _NAMES.search(name)
        if named and named[2]:
            yield _content(Path(value))
        elif named or _PEM_KEY in value:
            yield value
        elif "://" in value and "@" in value:
            yield from _password(value)


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _password(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return
    yield password
    yield unquote(password)

"""Text from outside, made fit for stores, terminals and other languages.

User code, repositories and other machines can put anything into a Python text: lone surrogates,
which have no UTF-8 form, NUL, which PostgreSQL refuses, and sequences that steer terminals. What
actors and machines send is repaired where it comes in; SLAs with such a text are refused.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
LONGEST_TEXT: Final = 64_000
"""Characters of one text in a message; the rest is cut off."""

_TERMINAL_SEQUENCES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and movements (ECMA-48's CSI)
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # titles and links (OSC)
)
_UNSTORABLE: Final = re.compile(r"[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def storable(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return ``text`` in at most ``longest`` characters, without what stores or terminals refuse.

    Tabulators and line breaks stay, sequences for terminals go, and each other control character
    or lone surrogate becomes U+FFFD.
    """
    # What is cut off need not be looked at, however long it is.
    head = text[: 2 * longest]
    shown = _UNSTORABLE.sub(REPLACEMENT, _TERMINAL_SEQUENCES.sub("", head))
    is_whole = len(shown) <= longest and len(head) == len(text)
    return shown if is_whole else f"{shown[: longest - 1]}…"


def storable_document(document: Any, longest: int = LONGEST_TEXT) -> Any:
    """Return a JSON document with ``storable`` texts and keys."""
    if isinstance(document, str):
        return storable(document, longest)
    if isinstance(document, Mapping):
        return {
            storable(key, longest): storable_document(value, longest)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [storable_document(item, longest) for item in document]
    return document

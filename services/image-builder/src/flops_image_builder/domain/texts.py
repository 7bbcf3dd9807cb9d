"""The texts of a repository's files, in whatever encoding their editor wrote them."""

import codecs
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # The mark of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, as Windows' editors and PowerShell's ``>`` write them."""

LFS_POINTER: Final = "version https://git-lfs.github.com/spec/"
"""The beginning of the file that stands for one in Git LFS."""


def text_of(name: str, content: bytes) -> str:
    """Return the text of file ``name`` by its byte order mark, or as UTF-8.

    What is neither is replaced. Python reads nothing but UTF-8, whatever mark a module has.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if name.endswith(".py"):
        encoding = "utf-8-sig"
    return content.decode(encoding, errors="replace").replace("\r\n", "\n")

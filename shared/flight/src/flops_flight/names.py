"""Names of fragments: ``<tag>.<32 hex>.parquet``.

A tag may contain dots, so names are parsed from their end.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from flops_contracts.sla import DATA_TAG
from flops_flight.errors import DataRejectedError

_TAG: Final = re.compile(DATA_TAG)
_NAME: Final = re.compile(r"^(?P<tag>.{1,100})\.(?P<digest>[0-9a-f]{32})\.parquet\Z")
_HINT: Final = "A name is <tag>.<32 hex digits>.parquet; a tag is letters, digits, '_', '.', '-'."


@dataclass(frozen=True)
class FragmentName:
    """A valid name in its parts; ``digest`` is that of the content."""

    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.tag}.{self.digest}.parquet"


def is_tag(text: str) -> bool:
    """Return whether ``text`` can be a data tag, which cannot contain a path separator."""
    return _TAG.match(text) is not None


def fragment_name(tag: str, digest: str) -> str:
    """Return the name of a fragment; raise ``DataRejectedError`` for an invalid part."""
    return str(parse_fragment_name(f"{tag}.{digest}.parquet"))


@lru_cache(4096)
def parse_fragment_name(name: str) -> FragmentName:
    """Parse ``name``; raise ``DataRejectedError`` for anything but a plain, valid name."""
    match = _NAME.match(name)
    if match is None or not is_tag(match["tag"]):
        raise DataRejectedError(f"'{name[:150]}' is not the name of a fragment", hint=_HINT)
    return FragmentName(match["tag"], match["digest"])

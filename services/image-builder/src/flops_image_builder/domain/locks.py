"""A dependency lock, as ``uv pip compile --generate-hashes`` writes it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HASH: Final = re.compile(r"--hash=(\S+)")


@dataclass(frozen=True)
class Lock:
    """Pinned packages by canonical name; each entry keeps its text with markers and hashes."""

    entries: Mapping[str, str]

    @property
    def text(self) -> str:
        """The requirements file, sorted, without comments."""
        return "".join(f"{self.entries[name]}\n" for name in sorted(self.entries))

    @property
    def digest(self) -> str:
        """A digest of exactly these packages."""
        return sha256(self.text.encode()).hexdigest()

    def version(self, name: str) -> str:
        """Return the pinned version of ``name``, or an empty string."""
        entry = self.entries.get(canonicalize_name(name), "")
        _, _, rest = entry.partition("==")
        return rest.split(maxsplit=1)[0].rstrip(";\\") if rest else ""

    def hashes(self, name: str) -> frozenset[str]:
        """Return the hashes of the files of ``name``, as ``sha256:...``."""
        return frozenset(_HASH.findall(self.entries.get(canonicalize_name(name), "")))

    def restricted(self, name: str, hashes: Collection[str]) -> "Lock":
        """Return the lock without the files of ``name`` that have none of ``hashes``."""
        key = canonicalize_name(name)
        head = self.entries[key].split(" --hash", 1)[0].split("\\", 1)[0].rstrip()
        allowed = sorted(self.hashes(name).intersection(hashes))
        text = " \\\n".join((head, *(f"    --hash={each}" for each in allowed)))
        return Lock({**self.entries, key: text})

    def holds(self, other: "Lock") -> bool:
        """Return whether this lock has every entry of ``other``."""
        return other.entries.items() <= self.entries.items()

    def minus(self, other: "Lock") -> "Lock":
        """Return the entries that ``other`` does not have."""
        return Lock({k: text for k, text in self.entries.items() if k not in other.entries})


def lock_from_text(text: str) -> Lock:
    """Read a requirements file with hashes; comments and blank lines are dropped."""
    entries: dict[str, str] = {}
    current: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        current.append(line.rstrip())
        if not line.rstrip().endswith("\\"):
            first = current[0].split(" --hash", 1)[0].rstrip("\\ ")
            entries[canonicalize_name(Requirement(first).name)] = "\n".join(current)
            current = []
    return Lock(entries)

"""The metrics at /metrics, and their descriptions in docs/metrics.md."""

import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(flops_\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)
SHARED = "Connections to the broker"
WITHOUT_MQTT = re.compile(r"Of every service but (.+)\.")


@dataclass(frozen=True)
class Documented:
    """The description of a metric in docs/metrics.md."""

    kind: str
    labels: frozenset[str]


def documented_metrics() -> dict[str, Documented]:
    """Return every metric of docs/metrics.md by its name."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {
        name: Documented(kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
    }


def documented() -> dict[str, set[str]]:
    """Return the names that docs/metrics.md has for each service, the shared ones included."""
    sections: dict[str, set[str]] = {}
    without: set[str] = set()
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title = section.partition("\n")[0]
        sections[title] = set(re.findall(r"^\| `(flops_\w+)`", section, re.MULTILINE))
        without |= {name for names in WITHOUT_MQTT.findall(section) for name in names.split(", ")}
    shared = sections.pop(SHARED)
    return {
        title: names if title in without else names | shared for title, names in sections.items()
    }


def exposed(url: str) -> set[str]:
    """Return the names of FLOps' own metrics at ``url``; none while there is no answer."""
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310 - a test's own URL
            text = answer.read().decode()
    except OSError:
        return set()
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
        if family.name.startswith("flops_")
    }
    # The client adds the time since when it counts.
    return {name for name in names if not name.endswith("_created")}


def value(text: str, name: str, **labels: str) -> float | None:
    """Return the value of a sample in the text of /metrics; None if it is missing."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None

"""Pictures as SVG."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from pygal import Config, StackedBar
from pygal.style import CleanStyle

from flops_contracts.events import Fragment

MAX_PARTITIONS: Final = 100
MAX_LABELS: Final = 15
"""More cannot be distinguished: rare labels are merged, and the last partitions are left out."""

OTHERS: Final = "others"
NO_LABEL: Final = "rows"


def draw_labels(title: str, fragments: Sequence[Fragment]) -> bytes:
    """Draw how many rows of each label each partition has, as a bar of layers."""
    shown = fragments[:MAX_PARTITIONS]
    frequent = _frequent(shown)
    layers = [_layers(fragment, frequent) for fragment in shown]
    chart = StackedBar(_config(title, len(fragments) - len(shown)))
    chart.x_labels = [_name(fragment, position) for position, fragment in enumerate(shown)]
    for label in sorted({label for layer in layers for label in layer}, key=_in_order):
        chart.add(label, [layer[label] for layer in layers])
    chart.add_xml_filter(_without_scripts)
    picture: bytes = chart.render()
    return picture


def _without_scripts(root: Element) -> Element:
    """Remove the scripts, which the policy of every page forbids."""
    for parent in list(root.iter()):
        for child in list(parent):
            if str(child.tag).endswith("script"):
                parent.remove(child)
    return root


def _config(title: str, left_out: int) -> Config:
    return Config(
        title=f"{title} ({left_out} more are not shown)" if left_out > 0 else title,
        style=CleanStyle,
        js=(),
        x_title="partition",
        y_title="rows",
        x_label_rotation=30,
        truncate_label=-1,
        no_data_text="No data yet",
    )


def _frequent(fragments: Sequence[Fragment]) -> frozenset[str]:
    """Return the labels that get a colour of their own."""
    counts: Counter[str] = Counter()
    for fragment in fragments:
        counts.update(fragment.labels)
    places = MAX_LABELS if len(counts) <= MAX_LABELS else MAX_LABELS - 1
    return frozenset(label for label, _ in counts.most_common(places))


def _layers(fragment: Fragment, frequent: frozenset[str]) -> Counter[str]:
    if not fragment.labels:
        return Counter({NO_LABEL: fragment.rows})
    layers: Counter[str] = Counter()
    for label, rows in fragment.labels.items():
        layers[label if label in frequent else OTHERS] += rows
    return layers


def _name(fragment: Fragment, position: int) -> str:
    number = position if fragment.partition is None else fragment.partition
    return f"{number} {fragment.node}".strip()


def _in_order(label: str) -> tuple[bool, int, str]:
    """Return a sort key: numbers in their order, ``OTHERS`` last."""
    return label == OTHERS, int(label) if label.isdecimal() else -1, label

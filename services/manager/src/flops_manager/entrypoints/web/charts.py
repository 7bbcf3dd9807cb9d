"""Curves over rounds as SVG inside the page; the style sheet colours them, light and dark."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from markupsafe import Markup
from pygal import Config, Line
from pygal.style import Style

from flops_contracts.events import RoundCompleted

POINTS: Final = 200
"""More cannot be told apart on a screen."""

STYLE: Final = Style(label_font_size=13, major_label_font_size=13, no_data_font_size=16)


def curve(title: str, rounds: Sequence[RoundCompleted], metric: str, unit: str) -> Markup:
    """Draw one metric over the rounds."""
    shown = rounds[:: max(1, -(-len(rounds) // POINTS))]
    points = [(completed.round, getattr(completed, metric)) for completed in shown]
    measured = [(number, value) for number, value in points if value is not None]
    is_share = metric == "accuracy" and measured and max(value for _, value in measured) <= 1
    chart = Line(
        Config(
            css=(),
            js=(),
            style=STYLE,
            width=520,
            height=240,
            margin=12,
            show_legend=False,
            disable_xml_declaration=True,
            classes=("chart",),
            dots_size=4,
            y_labels_major_count=3,
            show_minor_y_labels=True,
            truncate_label=-1,
            max_scale=6,
            formatter=lambda value: f"{value:.3g}",
            no_data_text="No rounds yet",
            range=(0, 1) if is_share else None,
        )
    )
    step = max(1, len(points) // 10)
    chart.x_labels = [
        str(number) if position % step == 0 else "" for position, (number, _) in enumerate(points)
    ]
    chart.add(title, [value for _, value in points])
    chart.add_xml_filter(lambda root: _bare(root, _summary(title, unit, measured)))
    # pygal escapes what it writes, and everything in it is a number or our own text.
    return Markup(chart.render())  # noqa: S704


def _summary(title: str, unit: str, points: Sequence[tuple[int, float]]) -> str:
    if not points:
        return f"{title}: nothing measured yet"
    (first, before), (last, after) = points[0], points[-1]
    return f"{title} from {before:.3g} after {unit} {first} to {after:.3g} after {unit} {last}"


def _bare(root: Element, summary: str) -> Element:
    """Remove styles and scripts, which our policy forbids, and set a label for screen readers."""
    for parent in list(root.iter()):
        for child in list(parent):
            if str(child.tag).rpartition("}")[2] in {"style", "script", "title", "desc"}:
                parent.remove(child)
    for element in root.iter():
        element.attrib.pop("style", None)
    root.attrib.pop("id", None)
    root.set("role", "img")
    root.set("aria-label", summary)
    return root

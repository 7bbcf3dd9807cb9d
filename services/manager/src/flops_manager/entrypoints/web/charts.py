"""Curves over rounds as SVG inside the page; the style sheet colours them, light and dark."""

from collections.abc import Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from markupsafe import Markup
from pygal import Config, Line
from pygal.style import Style

POINTS: Final = 200
"""More cannot be told apart on a screen."""

STYLE: Final = Style(label_font_size=13, major_label_font_size=13, no_data_font_size=16)


def curve(title: str, rounds: Sequence[dict[str, Any]], key: str, name: str = "round") -> Markup:
    """Draw one metric over the rounds."""
    shown = rounds[:: max(1, -(-len(rounds) // POINTS))]
    values = [one[key] for one in shown]
    known = [value for value in values if value is not None]
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
            range=(0, 1) if key == "accuracy" and known and max(known) <= 1 else None,
        )
    )
    step = max(1, len(shown) // 10)
    chart.x_labels = [
        str(one["round"]) if position % step == 0 else "" for position, one in enumerate(shown)
    ]
    chart.add(title, values)
    chart.add_xml_filter(lambda root: _bare(root, _said(title, name, shown, key)))
    # pygal escapes what it writes, and everything in it is a number or our own text.
    return Markup(chart.render())  # noqa: S704


def _said(title: str, name: str, rounds: Sequence[dict[str, Any]], key: str) -> str:
    known = [one for one in rounds if one[key] is not None]
    if not known:
        return f"{title}: nothing measured yet"
    first, last = known[0], known[-1]
    return (
        f"{title} from {first[key]:.3g} after {name} {first['round']} "
        f"to {last[key]:.3g} after {name} {last['round']}"
    )


def _bare(root: Element, said: str) -> Element:
    """Leave out styles and scripts, which no policy of ours allows; say once what it shows."""
    for parent in list(root.iter()):
        for child in list(parent):
            if str(child.tag).rpartition("}")[2] in {"style", "script", "title", "desc"}:
                parent.remove(child)
    for one in root.iter():
        one.attrib.pop("style", None)
    root.attrib.pop("id", None)
    root.set("role", "img")
    root.set("aria-label", said)
    return root

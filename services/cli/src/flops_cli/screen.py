"""Progress output of long steps: live bars on a terminal, plain lines in a log."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol, Self

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

GAP: Final = "  "
LEAST_LAST: Final = 16
"""Columns of the terminal below which the last column is not worth wrapping."""


class Screen(AbstractContextManager["Screen"], Protocol):
    """Output for people. ``style`` is one of rich's, for decoration only."""

    def say(self, text: str, style: str = "") -> None:
        """Print a line that stays."""

    def bar(self, key: str, text: str, done: float = 0, total: float | None = None) -> None:
        """Show the progress of the long step ``key``; ``total`` is None if it is unknown."""

    def drop_bars(self, prefix: str = "") -> None:
        """Remove the bars whose key starts with ``prefix``."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table that stays."""


def screen_for(console: Console) -> Screen:
    """Return the screen that suits the console."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print a table; only its last column is wrapped, so that ids can be copied.

    Where it is wider than the terminal, each row is printed as a list instead.
    """
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    needed = sum(widths[:-1]) + len(GAP) * len(widths) + min(widths[-1], LEAST_LAST)
    if needed > console.width:
        _print_lists(console, title, columns, rows)
        return
    table = Table(
        title=title or None,
        title_justify="left",
        box=None,
        padding=(0, len(GAP), 0, 0),
        header_style="bold",
    )
    for column in columns:
        is_last = column is columns[-1]
        table.add_column(column, no_wrap=not is_last, overflow="fold" if is_last else "ellipsis")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def _print_lists(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    longest = max(map(cell_len, columns))
    lists = [
        "\n".join(f"{name:<{longest}}{GAP}{cell}" for name, cell in zip(columns, row, strict=True))
        for row in rows
    ]
    text = "\n\n".join(lists)
    shown = f"{title}\n{text}" if title else text
    console.print(shown, markup=False, highlight=False, soft_wrap=True)


class LiveScreen:
    """Bars below, lines above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str, style: str = "") -> None:
        """Print above the bars."""
        self._console.print(escape(text), style=style, highlight=False, soft_wrap=True)

    def bar(self, key: str, text: str, done: float = 0, total: float | None = None) -> None:
        """Create or move a bar."""
        count = "" if total is None else f"{done:.10g}/{total:.10g}"
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(escape(text), total=total, count=count)
        self._progress.update(
            self._tasks[key], description=escape(text), completed=done, total=total, count=count
        )

    def drop_bars(self, prefix: str = "") -> None:
        """Remove bars."""
        for key in [key for key in self._tasks if key.startswith(prefix)]:
            self._progress.remove_task(self._tasks.pop(key))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print above the bars."""
        print_table(self._console, title, columns, rows)


class PlainScreen:
    """Lines only. A bar prints a line when its text changes or another quarter is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str, style: str = "") -> None:
        """Print a line, without its style."""
        del style
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def bar(self, key: str, text: str, done: float = 0, total: float | None = None) -> None:
        """Print a line if the text or the quarter has changed."""
        quarter = int(4 * done / total) if total else 0
        if self._printed.get(key) == (text, quarter):
            return
        self._printed[key] = (text, quarter)
        self.say(f"  {text}" if total is None else f"  {text} {done:.10g}/{total:.10g}")

    def drop_bars(self, prefix: str = "") -> None:
        """Forget bars."""
        for key in [key for key in self._printed if key.startswith(prefix)]:
            del self._printed[key]

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print columns padded by spaces, so that other programs can read them."""
        if title:
            self.say(title)
        lines = [columns, *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.say("  " + "  ".join(cells).rstrip())

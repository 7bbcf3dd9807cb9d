"""Progress on a terminal and in a log."""

import io
import time
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from rich.console import Console
from rich.text import Text

from flops_cli.commands.logs import text_of
from flops_cli.errors import ProjectFailedError
from flops_cli.results import Project
from flops_cli.screen import LiveScreen, PlainScreen, print_table, screen_for
from flops_cli.times import moment
from flops_cli.watching import Watcher, require_success
from flops_contracts.events import (
    Actor,
    Heartbeat,
    Kind,
    Progress,
    RoundCompleted,
    RoundStarted,
    StageChanged,
)
from flops_contracts.roles import Role
from support.observed import observed_event


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def screen(console):
    return PlainScreen(console)


def lines_of(console):
    return console.file.getvalue().splitlines()


def test_a_terminal_gets_bars_and_a_log_gets_lines(console):
    terminal = Console(file=io.StringIO(), force_terminal=True)

    assert isinstance(screen_for(terminal), LiveScreen)
    assert isinstance(screen_for(console), PlainScreen)


def test_in_a_log_a_bar_prints_a_line_at_each_quarter(screen, console):
    for done in range(9):
        screen.bar("k", "installing", done, 8)

    assert lines_of(console) == [f"  installing {done}/8" for done in (0, 2, 4, 6, 8)]


def test_text_that_looks_like_markup_is_printed_as_it_is(screen, console):
    screen.say("[bold]x[/bold]")

    assert lines_of(console) == ["[bold]x[/bold]"]


def test_a_table_in_a_log_is_aligned_by_spaces(screen, console):
    screen.table("Rounds", ("round", "accuracy"), [("1", "0.5"), ("2", "0.75")])

    assert lines_of(console) == ["Rounds", "  round  accuracy", "  1      0.5", "  2      0.75"]


def test_a_live_screen_keeps_lines_above_the_bars():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)

    with LiveScreen(console) as screen:
        screen.bar("k", "installing", 1, 2)
        screen.say("a line that stays")
        screen.drop_bars()

    assert "a line that stays" in console.file.getvalue()


def test_rounds_and_stages_are_shown(screen, console):
    watcher = Watcher(screen)

    watcher.take(observed_event(Kind.STAGE_CHANGED, StageChanged("training", "submitted")))
    watcher.take(observed_event(Kind.ROUND_STARTED, RoundStarted(1, 3)))
    watcher.take(observed_event(Kind.ROUND_COMPLETED, RoundCompleted(1, 3, 0.5, 0.9, 1.0)))

    text = "\n".join(lines_of(console))
    assert "submitted -> training" in text
    assert "round 1 0/3" in text
    assert "accuracy 0.9000" in text


def test_each_cluster_has_a_bar_of_its_own(screen, console):
    watcher = Watcher(screen)
    actor = Actor(Role.CLUSTER_AGGREGATOR, "cag0x1", "east", "n1")
    event = observed_event(Kind.ROUND_STARTED, RoundStarted(2, 3, cycle=4))

    watcher.take(replace(event, actor=actor))
    watcher.take(observed_event(Kind.ROUND_STARTED, RoundStarted(4, 9, is_cycle=True)))

    assert lines_of(console) == ["  east, cycle 4: round 2 1/3", "  cycle 4 3/9"]


def test_long_steps_are_bars_and_heartbeats_are_not_shown(screen, console):
    watcher = Watcher(screen)

    watcher.take(observed_event(Kind.HEARTBEAT, Heartbeat("training")))
    watcher.take(observed_event(Kind.PROGRESS, Progress("cloning", 1, 2)))

    assert lines_of(console) == ["  manager: cloning 1/2"]


def test_a_failed_project_is_an_error_with_reason_hint_and_log():
    error = {"reason": "no fit_model", "hint": "Write it.", "where": "m.py:3", "last_lines": ["x"]}
    project = Project.from_document({"project_id": "p1", "stage": "failed", "error": error})

    with pytest.raises(ProjectFailedError, match=r"no fit_model \(m.py:3\)") as raised:
        require_success(project)

    assert (raised.value.hint, raised.value.errors) == ("Write it.", ("x",))


COLUMNS = ("PROJECT", "STAGE", "ROUNDS", "CREATED", "REPOSITORY, REASON")
ROW = ("0123456789ab", "building-actors", "10/100", "2026-12-01 10:00 UTC", "https://git.example/a")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("kind", [PlainScreen, LiveScreen])
def test_a_table_loses_nothing_at_any_width(kind, width):
    console = Console(file=io.StringIO(), force_terminal=kind is LiveScreen, width=width)

    kind(console).table("", COLUMNS, [ROW, ROW])

    text = Text.from_ansi(console.file.getvalue()).plain
    together = "".join(text.split())
    assert [together.count("".join(cell.split())) for cell in ROW] == [2] * len(ROW)
    assert all(column.split(",")[0] in text for column in COLUMNS)


def test_where_a_table_is_too_wide_each_row_is_a_list():
    console = Console(file=io.StringIO(), force_terminal=True, width=30)

    print_table(console, "Projects", ("ID", "STAGE"), [("a" * 30, "failed"), ("b", "training")])

    assert lines_of(console) == [
        "Projects",
        f"ID     {'a' * 30}",
        "STAGE  failed",
        "",
        "ID     b",
        "STAGE  training",
    ]


def test_every_time_has_the_same_zone_and_names_it(screen, console, monkeypatch):
    event = observed_event(Kind.STAGE_CHANGED, StageChanged("training", "submitted"))
    monkeypatch.setenv("TZ", "Etc/GMT-3")
    time.tzset()
    try:
        Watcher(screen).take(event)
        line = {
            "at": event.at.isoformat(),
            "role": "learner",
            "instance": "l1",
            "level": "INFO",
            "message": "hello",
        }
        shown = [lines_of(console)[0], text_of(line), moment(event.at)[11:]]
    finally:
        monkeypatch.undo()
        time.tzset()
    local = event.at.astimezone(timezone(timedelta(hours=3)))
    assert [text[:5] for text in shown] == [f"{local:%H:%M}"] * 3
    assert all("+03" in text for text in shown)

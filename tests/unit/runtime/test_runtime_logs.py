"""The format of a log's lines, on a terminal and elsewhere."""

import io
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from flops_runtime.logs import (
    JsonFormatter,
    LastLines,
    LogContext,
    PlainFormatter,
    formatter_for,
    readable,
    what_is_printed_is_logged,
)
from flops_runtime.redaction import Secrets


class Terminal(io.StringIO):
    def isatty(self):
        return True


def a_record(level=logging.WARNING, **extra):
    record = logging.makeLogRecord(
        {"name": "flops_learner", "levelno": level, "levelname": logging.getLevelName(level)}
    )
    record.msg, record.args = "lost %d rows", (3,)
    vars(record).update(extra)
    return record


def test_a_line_of_json_says_what_the_process_is_about():
    context = LogContext()
    context.update(project="p1", actor="lrn0", node="n1", round=2, trace_id="")

    line = json.loads(JsonFormatter(context).format(a_record(rows=3)))

    assert (line["project"], line["actor"], line["node"], line["round"]) == ("p1", "lrn0", "n1", 2)
    assert (line["level"], line["message"], line["rows"]) == ("WARNING", "lost 3 rows", 3)
    assert "trace_id" not in line


@pytest.mark.parametrize(
    ("stream", "style", "variables", "kind", "has_colours"),
    [
        (Terminal(), "auto", {}, PlainFormatter, True),
        (Terminal(), "auto", {"NO_COLOR": "1"}, PlainFormatter, False),
        (Terminal(), "json", {}, JsonFormatter, False),
        (io.StringIO(), "auto", {}, JsonFormatter, False),
        (io.StringIO(), "plain", {}, PlainFormatter, False),
    ],
)
def test_the_stream_decides_unless_it_was_said(stream, style, variables, kind, has_colours):
    formatter = formatter_for(stream, style, variables)

    assert type(formatter) is kind
    assert ("\x1b[33m" in formatter.format(a_record())) is has_colours


def test_people_read_json_as_they_read_the_rest():
    line = JsonFormatter(LogContext()).format(a_record())

    assert readable(line) == "WARNING flops_learner: lost 3 rows"
    assert readable("plain") == "plain"
    assert readable('{"half": ') == '{"half": '


def test_a_traceback_stays_with_its_line():
    try:
        int("too hot")
    except ValueError:
        record = a_record(exc_info=sys.exc_info())

    assert "ValueError: invalid literal" in readable(JsonFormatter(LogContext()).format(record))


def test_what_may_not_leave_is_forgotten():
    last = LastLines()
    last.emit(a_record())
    last.keep_nothing()
    last.emit(a_record())

    assert last.lines() == ()


def test_a_line_that_is_being_kept_just_then_is_forgotten_too():
    last, began, may_end = LastLines(), threading.Event(), threading.Event()

    class Slow:
        def __str__(self):
            began.set()
            may_end.wait(10)
            return "a patient's name"

    with ThreadPoolExecutor(2) as threads:
        stored = threads.submit(last.handle, logging.makeLogRecord({"msg": Slow()}))
        began.wait(300)
        forgotten = threads.submit(last.keep_nothing)
        wait([forgotten], timeout=0.2)
        may_end.set()
        wait([stored, forgotten], timeout=120)

    assert last.lines() == ()


def test_no_line_says_a_secret_of_this_process(tmp_path):
    (tmp_path / "token").write_text("from-a-file-123\n")
    variables = {
        "FLOPS_GRID_TOKEN": "token-of-the-grid",
        "FLOPS_DATA_SERVER_TOKEN_FILE": str(tmp_path / "token"),
        "FLOPS_MONGO_URL": "mongodb://flops:p%40ssword9@store:10027/flops",
        "FLOPS_LOG_LEVEL": "DEBUG-not-secret",
        "AWS_SECRET_ACCESS_KEY": "an-artifact-key",
        "FLOPS_SHORT_TOKEN": "abc",
    }
    context = LogContext(Secrets(variables))
    record = a_record()
    said = "token-of-the-grid from-a-file-123 p@ssword9 an-artifact-key DEBUG-not-secret abc"
    record.msg, record.args = "%s", (said,)

    line = json.loads(JsonFormatter(context).format(record))
    last = LastLines(context=context)
    last.emit(record)

    hidden = "*** *** *** *** DEBUG-not-secret abc"
    assert line["message"] == hidden
    assert last.lines() == (f"WARNING flops_learner: {hidden}",)
    assert hidden in PlainFormatter(context=context).format(record)


def test_no_traceback_says_a_secret():
    context = LogContext(Secrets({"FLOPS_GRID_TOKEN": "token-of-the-grid"}))
    try:
        int("token-of-the-grid")
    except ValueError:
        record = a_record(exc_info=sys.exc_info())

    assert "token-of-the-grid" not in JsonFormatter(context).format(record)
    assert "token-of-the-grid" not in PlainFormatter(context=context).format(record)


def test_what_is_printed_is_logged_line_by_line(caplog):
    caplog.set_level(logging.INFO)
    with what_is_printed_is_logged():
        sys.stdout.write("epoch 1 loss 0.5\n")
        sys.stdout.write("10%\r50%\r100%\n")
        sys.stdout.write("not yet")

    assert caplog.messages == ["epoch 1 loss 0.5", "100%"]

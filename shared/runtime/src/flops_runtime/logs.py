"""Logging, configured once by ``__main__``: to stderr, with the last lines kept for a failure.

On a terminal lines are plain and coloured. Elsewhere they are JSON, one object a line, with what
the whole process is about: its project, actor, node, round and trace.
"""

import io
import json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from datetime import UTC, datetime
from typing import IO, Any, Final

from flops_contracts.events import LAST_LINES
from flops_runtime.redaction import Secrets

AUTO: Final = "auto"
PLAIN: Final = "plain"
JSON: Final = "json"
STYLES: Final = (AUTO, PLAIN, JSON)

LONGEST_PRINTED: Final = 4000
"""Of a line that does not end, such as a bar that moves, so much is remembered."""

_PLAIN = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_SHORT = "%(levelname)s %(name)s: %(message)s"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS: Final = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31;1", "DEBUG": "2"}


class LogContext:
    """The fields of every log line besides its message; read and written by all threads.

    It is the process's and no thread's, because a service works for one project, in one round.
    ``secrets`` are what no line says.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, Any] = {}
        self.secrets = secrets or Secrets()

    def update(self, **values: Any) -> None:
        """Set some of it, such as ``round`` or ``trace_id``; None takes a value away."""
        with self._lock:
            merged = {**self._values, **values}
            self._values = {key: item for key, item in merged.items() if item not in (None, "")}

    def values(self) -> dict[str, Any]:
        """Return all of it."""
        with self._lock:
            return dict(self._values)


CONTEXT: Final = LogContext()


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time, level, logger, message, the context, and the extras."""

    def __init__(self, context: LogContext = CONTEXT) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; what was passed as ``extra`` becomes keys of their own."""
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": self._context.secrets.hide(record.getMessage()),
            **self._context.values(),
            **extras,
        }
        if record.exc_info:
            line["traceback"] = self._context.secrets.hide(self.formatException(record.exc_info))
        return json.dumps(line, default=str)


class PlainFormatter(logging.Formatter):
    """Lines for people, with the colour of their level where ``has_colours``."""

    def __init__(
        self, *, has_colours: bool = False, form: str = _PLAIN, context: LogContext = CONTEXT
    ) -> None:
        super().__init__(form)
        self._has_colours = has_colours
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, or several with a traceback."""
        text = self._context.secrets.hide(super().format(record))
        colour = _COLOURS.get(record.levelname) if self._has_colours else None
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


class LastLines(logging.Handler):
    """Keeps the last lines that were logged, for the ``failed`` event."""

    def __init__(self, count: int = LAST_LINES, context: LogContext = CONTEXT) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=count)
        self._is_open = True
        self.setFormatter(PlainFormatter(form=_SHORT, context=context))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the lines of ``record``, its traceback included."""
        if self._is_open:
            self._lines.extend(line[:1000] for line in self.format(record).splitlines())

    def lines(self) -> tuple[str, ...]:
        """Return what is kept, oldest first."""
        with self._kept_still():
            return tuple(self._lines)

    def keep_nothing(self) -> None:
        """Forget all lines, and keep none from now on: they may not leave this node."""
        with self._kept_still():
            self._is_open = False
            self._lines.clear()

    @contextmanager
    def _kept_still(self) -> Iterator[None]:
        """Hold the handler's own lock, with which ``emit`` is called."""
        self.acquire()
        try:
            yield
        finally:
            self.release()


def configure_logging(
    level: str = "INFO", style: str = AUTO, context: Mapping[str, str] | None = None
) -> LastLines:
    """Send all logs to stderr; return the handler that keeps the last lines."""
    variables = os.environ  # noqa: TID251 - NO_COLOR, and what must not be logged
    CONTEXT.update(**(context or {}))
    CONTEXT.secrets = Secrets(variables)
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(formatter_for(sys.stderr, style, variables))
    last_lines = LastLines()
    logging.basicConfig(level=level, handlers=[to_stderr, last_lines], force=True)
    return last_lines


def formatter_for(stream: IO[str], style: str, variables: Mapping[str, str]) -> logging.Formatter:
    """Return what suits the stream; ``NO_COLOR`` in ``variables`` takes the colours away."""
    is_terminal = stream.isatty()
    if style == JSON or (style == AUTO and not is_terminal):
        return JsonFormatter()
    return PlainFormatter(has_colours=is_terminal and not variables.get("NO_COLOR"))


class PrintedLines(io.TextIOBase):
    """A standard output whose lines are logged: users' code prints what it has to say."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self._rest = ""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Log every line that is complete; a carriage return starts a line again."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if shown := line.rpartition("\r")[2].rstrip():
                self._logger.info("%s", shown)
        self._rest = self._rest[-LONGEST_PRINTED:]
        return len(text)


def what_is_printed_is_logged() -> AbstractContextManager[Any]:
    """Log what is printed within the context, as users' code does."""
    return redirect_stdout(PrintedLines(logging.getLogger("stdout")))


def readable(line: str) -> str:
    """Return a line of a log for people: JSON as ``LEVEL logger: message``, others as they are."""
    if not line.startswith("{"):
        return line
    try:
        document = json.loads(line)
        text = f"{document['level']} {document['logger']}: {document['message']}"
    except (KeyError, TypeError, ValueError):
        return line
    traceback = document.get("traceback")
    return f"{text}\n{traceback}" if traceback else text

"""Logging, configured once by ``__main__``: to stderr, with the last lines kept for a failure."""

import json
import logging
import sys
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

from flops_contracts.events import LAST_LINES

_PLAIN = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time, level, logger, message, the process's context, the extras."""

    def __init__(self, context: Mapping[str, str]) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; what was passed as ``extra`` becomes keys of their own."""
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._context,
            **extras,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class LastLines(logging.Handler):
    """Keeps the last lines that were logged, for the ``failed`` event."""

    def __init__(self, count: int = LAST_LINES) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=count)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the lines of ``record``, its traceback included."""
        self._lines.extend(line[:1000] for line in self.format(record).splitlines())

    def lines(self) -> tuple[str, ...]:
        """Return what is kept, oldest first."""
        return tuple(self._lines)


def configure_logging(
    level: str = "INFO", style: str = "plain", context: Mapping[str, str] | None = None
) -> LastLines:
    """Send all logs to stderr; return the handler that keeps the last lines."""
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(
        JsonFormatter(context or {}) if style == "json" else logging.Formatter(_PLAIN)
    )
    last_lines = LastLines()
    logging.basicConfig(level=level, handlers=[to_stderr, last_lines], force=True)
    return last_lines

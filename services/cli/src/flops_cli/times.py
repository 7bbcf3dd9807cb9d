"""Times as people read them: this machine's, with the name of its zone."""

from datetime import datetime


def moment(time: datetime | None) -> str:
    """Return a time to the minute; empty if there is none."""
    return f"{time.astimezone():%Y-%m-%d %H:%M %Z}" if time else ""


def clock(time: datetime) -> str:
    """Return the time of day, to the second."""
    return f"{time.astimezone():%H:%M:%S %Z}"

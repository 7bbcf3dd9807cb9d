"""The errors of probes that fail."""

import re
from typing import Final

from flops_image_builder.domain.errors import BuildFailedError
from flops_image_builder.domain.plan import CODE, Probe

PROBE_SECONDS: Final = 180.0
_USER_PLACE = re.compile(rf'File "[^"]*/{CODE}/(?P<file>[^"]+)", line (?P<line>\d+)')


def probe_timeout(probe: Probe) -> BuildFailedError:
    """Return the error for a probe that takes too long."""
    return BuildFailedError(
        f"{probe.what} did not end within {PROBE_SECONDS:g} seconds",
        hint="Importing the repository's modules must not train, download or wait.",
    )


def probe_failure(probe: Probe, reason: str, traceback: str) -> BuildFailedError:
    """Return the error for a failed probe, with the last place in the user's code."""
    places = _USER_PLACE.findall(traceback)
    return BuildFailedError(
        f"{probe.what} failed: {reason}",
        hint="The packages are installed, but do not work together: add the missing ones to the "
        "repository's dependencies, or change the conflicting versions.",
        where=f"{places[-1][0]}:{places[-1][1]}" if places else "",
    )

"""Runs a finished image's Python once, so that an import that fails is found in time."""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from flops_image_builder.adapters.buildah import Buildah
from flops_image_builder.adapters.commands import CommandTimeoutError, Finished, last_lines
from flops_image_builder.domain.errors import BuildFailedError
from flops_image_builder.domain.plan import CODE, Probe

logger = logging.getLogger(__name__)

PROBE_SECONDS: Final = 180.0
_FORBIDDEN: Final = "creating new mount namespace"
_USER_PLACE = re.compile(rf'File "[^"]*/{CODE}/(?P<file>[^"]+)", line (?P<line>\d+)')


class Trials:
    """Runs probes in throw-away containers of an image."""

    def __init__(self, buildah: Buildah) -> None:
        self._buildah = buildah

    def attempt(
        self,
        probe: Probe,
        image: str,
        files: Mapping[str, Path] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Raise ``BuildFailedError`` unless ``probe`` succeeds in ``image``.

        ``files`` are folders to copy there first, by where they go.
        """
        container = self._buildah.run("from", "--pull-never", image)
        try:
            for target, folder in (files or {}).items():
                self._buildah.run("copy", "--quiet", container, str(folder), target)
            finished = self._run(container, probe, environment or {})
        except CommandTimeoutError as error:
            raise BuildFailedError(
                f"{probe.what} did not end within {PROBE_SECONDS:g} seconds",
                hint="Importing the repository's modules must not train, download or wait.",
            ) from error
        finally:
            self._buildah.forget("rm", container)
        if not finished.is_success:
            raise BuildFailedError(
                f"{probe.what} failed: {_reason(finished.errors)}",
                hint="The packages are installed, but do not work together: add what is missing to "
                "the repository's dependencies, or change the versions that clash.",
                where=user_place(finished.errors),
            )

    def _run(self, container: str, probe: Probe, environment: Mapping[str, str]) -> Finished:
        call = ("python", *probe.arguments)
        told = [f"{key}={value}" for key, value in environment.items()]
        options = [part for one in told for part in ("--env", one)]
        arguments = ("run", "--isolation", "chroot", *options, container, "--", *call)
        finished = self._buildah.attempt(*arguments, timeout_seconds=PROBE_SECONDS)
        if not finished.is_success and _FORBIDDEN in finished.errors:
            # A container without CAP_SYS_ADMIN may mount nothing, but change its root.
            logger.info("mounting is forbidden here: trying without /proc")
            return self._run_without_mounts(container, [*told, *call])
        return finished

    def _run_without_mounts(self, container: str, call: list[str]) -> Finished:
        text = self._buildah.run("inspect", container)
        config: dict[str, Any] = json.loads(text)["OCIv1"]["config"]
        root = self._buildah.run("mount", container)
        user = config.get("User") or "0:0"
        folder = config.get("WorkingDir") or "/"
        argv = ["chroot", f"--userspec={user}", root, "env", "-i", f"--chdir={folder}"]
        argv += [*(config.get("Env") or []), *call]
        return self._buildah.program(argv, PROBE_SECONDS)


def user_place(traceback: str) -> str:
    """Return the last place of a traceback that lies in the user's code."""
    places = _USER_PLACE.findall(traceback)
    return f"{places[-1][0]}:{places[-1][1]}" if places else ""


def _reason(errors: str) -> str:
    """Return the last line that is not buildah's own."""
    own = ("Error: exit status", "error running subprocess", "subprocess exited", "time=")
    lines = [line for line in errors.splitlines() if not line.startswith(own)]
    return last_lines("\n".join(lines), 1) or last_lines(errors, 1)

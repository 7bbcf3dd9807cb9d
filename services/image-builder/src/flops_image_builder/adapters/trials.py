"""Runs the Python of a finished image once, to find failing imports early."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from flops_image_builder.adapters.buildah import Buildah
from flops_image_builder.adapters.commands import CommandTimeoutError, Finished, last_lines
from flops_image_builder.domain.plan import Probe
from flops_image_builder.domain.probes import PROBE_SECONDS, probe_failure, probe_timeout

logger = logging.getLogger(__name__)

_FORBIDDEN: Final = "creating new mount namespace"


class Trials:
    """Runs probes in temporary containers of an image."""

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

        ``files`` maps paths of the container to folders that are copied there first.
        """
        container = self._buildah.run("from", "--pull-never", image)
        try:
            for target, folder in (files or {}).items():
                self._buildah.run("copy", "--quiet", container, str(folder), target)
            finished = self._run(container, probe, environment or {})
        except CommandTimeoutError as error:
            raise probe_timeout(probe) from error
        finally:
            self._buildah.forget("rm", container)
        if not finished.is_success:
            raise probe_failure(probe, _reason(finished.errors), finished.errors)

    def _run(self, container: str, probe: Probe, environment: Mapping[str, str]) -> Finished:
        call = ("python", *probe.arguments)
        variables = [f"{key}={value}" for key, value in environment.items()]
        options = [part for variable in variables for part in ("--env", variable)]
        arguments = ("run", "--isolation", "chroot", *options, container, "--", *call)
        finished = self._buildah.attempt(*arguments, timeout_seconds=PROBE_SECONDS)
        if not finished.is_success and _FORBIDDEN in finished.errors:
            # A container without CAP_SYS_ADMIN cannot mount anything, but can change its root.
            logger.info("mounting is not permitted here: trying without /proc")
            return self._run_without_mounts(container, [*variables, *call])
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


def _reason(errors: str) -> str:
    """Return the last line that does not come from buildah."""
    own = ("Error: exit status", "error running subprocess", "subprocess exited", "time=")
    lines = [line for line in errors.splitlines() if not line.startswith(own)]
    return last_lines("\n".join(lines), 1) or last_lines(errors, 1)

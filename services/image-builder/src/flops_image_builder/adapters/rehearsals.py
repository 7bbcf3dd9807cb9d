"""Runs a learner's bundle on its own, in a process with a deadline and limits."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any, Final

from flops_contracts.bundles import bundle_folder, read_bundle
from flops_image_builder.adapters.commands import Commands, CommandTimeoutError, last_lines
from flops_image_builder.domain.errors import ImageStoreError
from flops_image_builder.domain.findings import Finding

CHECK: Final = "methods"
LESS: Final = "Do less in set_model_data and fit_model."
SECONDS: Final = 900.0
"""Of wall clock, for what hangs; ``trial.limit`` bounds processor time, on a busy machine too."""

OUT_OF_PROCESSOR_TIME: Final = {-signal.SIGXCPU, 128 + signal.SIGXCPU}
HINT: Final = (
    "The rows were made up: pictures `image` of 28 x 28 and a `label` from 0 to 9. If yours "
    "differ, pass some of them with --data FILE."
)


class BundleRehearsal:
    """``Rehearsal`` of bundles in the folder ``store``."""

    def __init__(self, store: Path, commands: Commands) -> None:
        self._store = store
        self._commands = commands

    def rehearse(self, reference: str, flavor: str, rows: Path | None) -> list[Finding]:
        """See the port."""
        bundle = read_bundle(self._store, reference)
        if bundle is None:
            raise ImageStoreError(f"the image {reference} is not in the store {self._store}")
        extra = {**bundle.environment, **({"FLOPS_DATASET_FILE": str(rows)} if rows else {})}
        try:
            finished = self._commands.run(
                [*bundle.argv, "try", flavor],
                SECONDS,
                folder=bundle_folder(self._store, reference) / "code",
                extra=extra,
            )
        except CommandTimeoutError:
            message = f"one round on a few rows did not end within {SECONDS / 60:g} minutes"
            return [Finding(CHECK, False, message, LESS)]
        if finished.code in OUT_OF_PROCESSOR_TIME:
            message = "one round on a few rows took more processor time than a trial may"
            return [Finding(CHECK, False, message, LESS)]
        findings = _findings(finished.output)
        if not findings:
            reason = last_lines(finished.errors, 3) or f"exit code {finished.code}"
            return [Finding(CHECK, False, f"the trial of the methods crashed: {reason}")]
        return [finding if finding.is_ok or rows else _with_hint(finding) for finding in findings]

    def forget(self, reference: str) -> None:
        """See the port."""
        shutil.rmtree(bundle_folder(self._store, reference), ignore_errors=True)


def _with_hint(finding: Finding) -> Finding:
    hint = f"{finding.hint} {HINT}".strip()
    return Finding(finding.check, finding.is_ok, finding.message, hint, finding.where)


def _findings(output: str) -> list[Finding]:
    lines = output.strip().splitlines()
    try:
        documents: list[dict[str, Any]] = json.loads(lines[-1]) if lines else []
        return [Finding(**document) for document in documents]
    except (TypeError, ValueError):
        return []

"""Starts the image-builder: ``python -m flops_image_builder [assemble | check | inspect]``."""

import importlib
import json
import os
import sys
from dataclasses import asdict

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_image_builder.adapters.dry_run import LoggedReports
from flops_image_builder.bootstrap import assemble, inspect, work
from flops_image_builder.settings import InspectionSettings, Settings
from flops_runtime.environment import read
from flops_runtime.logs import configure_logging
from flops_runtime.one_shot import configure_process, exit_with, run_one_shot


def main() -> ExitCode:
    """Carry out the build that the environment describes."""
    settings = read(Settings, os.environ)
    if settings.is_dry_run:
        return dry_run(settings)
    return run_one_shot(settings.actor, work(settings, os.environ))


def dry_run(settings: Settings) -> ExitCode:
    """Print what would be built, without any message to the manager."""
    configure_process(settings.actor)
    try:
        work(settings, os.environ)(LoggedReports())
    except FlopsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's output
        return error.exit_code
    return ExitCode.DONE


def inspection() -> ExitCode:
    """Inspect the repository that the environment names; print a JSON array of findings."""
    settings = read(InspectionSettings, os.environ)
    configure_logging(settings.process.log_level, settings.process.log_format)
    try:
        findings = inspect(settings, os.environ)
    except FlopsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's output
        return error.exit_code
    print(json.dumps([asdict(finding) for finding in findings]))  # noqa: T201 - the command's output
    return (
        ExitCode.DONE if all(finding.is_ok for finding in findings) else ExitCode.REPOSITORY_INVALID
    )


def assembly() -> ExitCode:
    """Build the actors of the repository that the environment names; print their images as JSON."""
    settings = read(InspectionSettings, os.environ)
    configure_logging(settings.process.log_level, settings.process.log_format)
    try:
        built = assemble(settings, os.environ)
    except FlopsError as error:
        document = {"reason": error.reason, "hint": error.hint, "where": error.where}
        print(json.dumps({"error": document}))  # noqa: T201 - the command's output
        return error.exit_code
    print(json.dumps(asdict(built.images)))  # noqa: T201 - the command's output
    return ExitCode.DONE


def check() -> ExitCode:
    """Import the modules that are otherwise imported only on use."""
    importlib.import_module("flops_image_builder.adapters.mlflow")
    print("ok")  # noqa: T201 - the command's output
    return ExitCode.DONE


if __name__ == "__main__":
    COMMANDS = {"assemble": assembly, "check": check, "inspect": inspection}
    exit_with(COMMANDS.get("".join(sys.argv[1:]), main))

# ruff: noqa: INP001 - a script beside the files that it is for, no package
"""The demo in containers: mock data, a project, a trained model that answers. See ``make help``.

The suite of compose/local.yml has to be up. The sample repository is served to the image-builder's
container by git's own server, for as long as this runs.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from make_env import FILE, values_from
from rich.console import Console

from flops_cli.client import FlopsClient
from flops_cli.errors import ClientError
from flops_cli.local.demo_plans import HELD_OUT_TAG, PLANS
from flops_cli.local.held_out import fetch_samples, predict
from flops_cli.local.network import API_PORT, OAKESTRA_PORT, is_listening
from flops_cli.local.processes import wait_for
from flops_cli.local.sample_repository import make_repository
from flops_cli.results import Project
from flops_cli.screen import Screen, screen_for
from flops_cli.watching import failure_error, require_success, watch_project
from flops_contracts.errors import FlopsError
from flops_contracts.sla import Mode

ROOT: Final = Path(__file__).resolve().parents[1]
SAMPLE: Final = ROOT / "docs" / "examples" / "ml-repos" / "mnist-sklearn"
PLAN: Final = PLANS[Mode.CLASSIC]
ADMIN: Final = "Admin"
DATA_PORT: Final = "11027"
START_SECONDS: Final = 20.0
MOCK_SECONDS: Final = 300.0


@contextmanager
def served(folder: Path, address: str) -> Iterator[str]:
    """Serve the repositories in ``folder`` by git's protocol; yield the URL of all of them."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    where = [f"--base-path={folder}", f"--listen={address}", f"--port={port}"]
    argv = ["git", "daemon", "--export-all", "--reuseaddr", *where, str(folder)]
    # It complains about clients that only check whether it listens.
    silent = subprocess.DEVNULL
    daemon = subprocess.Popen(argv, stdout=silent, stderr=silent, start_new_session=True)
    try:
        wait_for(lambda: is_listening(address, port), START_SECONDS, "git daemon does not answer")
        yield f"git://{address}:{port}"
    finally:
        # The server itself is a child of this one.
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(10)


def provide(client: FlopsClient, sla: dict[str, Any], screen: Screen) -> None:
    """Have mock data provided, and wait for it."""
    tag = sla["mock_data_configuration"]["data_tag"]
    mock_id = client.submit_mock(sla)
    pause = threading.Event()
    end = time.monotonic() + MOCK_SECONDS
    while not (mock := client.mock(mock_id)).stage.is_final:
        if time.monotonic() > end:
            sys.exit(f"mock {mock_id} is still {mock.stage}")
        screen.bar("mock", f"mock data {tag}: {mock.stage}")
        pause.wait(0.5)
    screen.drop_bars("mock")
    if mock.failure:
        raise failure_error(f"mock {mock_id}", mock.failure)
    screen.say(f"mock {mock_id}: {sum(fragment.rows for fragment in mock.fragments)} rows of {tag}")


def train(
    client: FlopsClient, repository: str, platforms: list[str], screen: Screen
) -> tuple[Project, float]:
    """Run one project to its end; return it and how long it took."""
    began = time.monotonic()
    sla = PLAN.project_sla(ADMIN, repository)
    if platforms:
        sla["supported_platforms"] = platforms
    project_id = client.submit_project(sla)
    screen.say(f"project {project_id}")
    project = watch_project(client, project_id, screen)
    require_success(project)
    return project, time.monotonic() - began


def stage_seconds(project: Project) -> dict[str, float]:
    """Return how long each stage took."""
    return {
        before.stage: (after.entered_at - before.entered_at).total_seconds()
        for before, after in pairwise(project.stages)
    }


def run(values: dict[str, str], chosen: argparse.Namespace, screen: Screen) -> dict[str, Any]:
    """Provide data, train and query the model; return the results."""
    address = values["FLOPS_PUBLISH_ADDRESS"]
    urls = [f"http://{address}:{port}" for port in (API_PORT, OAKESTRA_PORT)]
    password = values["FLOPS_OAKESTRA_PASSWORD"]
    server = f"{address}:{values.get('FLOPS_LOCAL_DATA_PORT') or DATA_PORT}"
    with (
        tempfile.TemporaryDirectory() as name,
        served(Path(name), address) as git,
        FlopsClient.logged_in(urls[0], urls[1], ADMIN, password) as client,
    ):
        folder = Path(name) / chosen.sample.name
        make_repository(chosen.sample, folder, dict(os.environ))  # noqa: TID251 - for git's PATH
        began = time.monotonic()
        provide(client, PLAN.data_sla(ADMIN), screen)
        provide(client, PLAN.held_out_sla(ADMIN), screen)
        data_seconds = time.monotonic() - began
        project, seconds = train(client, f"{git}/{chosen.sample.name}", chosen.platform, screen)
        samples = fetch_samples(server, HELD_OUT_TAG)
        accuracy = samples.accuracy_of(predict(project.model_url, samples.inputs))
        tracking = client.tracking().url
    return {
        "project": project.document,
        "model": project.model_url,
        "tracking": tracking,
        "accuracy": accuracy,
        "held_out": len(samples.labels),
        "data_seconds": data_seconds,
        "project_seconds": seconds,
        "stage_seconds": stage_seconds(project),
    }


def main() -> None:
    """Run the demo and show its results; write them to a file if one is given."""
    parser = argparse.ArgumentParser(prog="compose/demo.py", description=__doc__)
    parser.add_argument("--env-file", type=Path, default=FILE)
    parser.add_argument("--platform", action="append", default=[], help="such as linux/arm64")
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="folder of the ML repository")
    parser.add_argument("--result", type=Path, help="write the results as JSON")
    chosen = parser.parse_args()
    # SIGTERM ends the git daemon as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not chosen.env_file.exists():
        sys.exit(f"there is no {chosen.env_file}: run 'make env LOCAL=1' first")
    values = values_from(chosen.env_file.read_text())
    with screen_for(Console()) as screen:
        try:
            result = run(values, chosen, screen)
        except (ClientError, FlopsError) as error:
            sys.exit(f"{error} {error.hint}".strip())
        screen.say(
            f"{result['accuracy']:.3f} of {result['held_out']} digits that no learner had are"
            f" recognised by {result['model']}/invocations",
            "bold green",
        )
        screen.say(f"MLflow: {result['tracking']}")
    if chosen.result:
        chosen.result.write_text(json.dumps(result, indent=2, default=str))


if __name__ == "__main__":
    main()

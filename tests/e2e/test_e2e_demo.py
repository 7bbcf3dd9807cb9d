"""`make demo` as a stranger sees it: what it prints, how it ends, and that nothing stays."""

import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from support.suite import ROOT, installed_places
from support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def demo(tmp_path):
    """Return a way to start the demo, with a state folder of its own over what is installed."""
    places = installed_places()
    for shared in (places.environments, places.images, places.datasets):
        shared.mkdir(exist_ok=True)
        (tmp_path / shared.name).symlink_to(shared)
    started = []

    def start(output):
        # TMPDIR is handed to every process of the suite, so it tells whose they are.
        environment = {**os.environ, "FLOPS_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
        argv = [sys.executable, "-m", "flops_cli", "local", "demo"]
        process = subprocess.Popen(
            argv, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(300)


def processes_in(folder):
    """Return the processes whose temporary files are in ``folder``."""
    command_lines = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(folder):
                command_lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return command_lines


def test_the_demo_tells_the_whole_story_and_leaves_nothing(demo, tmp_path):
    log = tmp_path / "demo.log"
    with log.open("wb") as output:
        code = demo(output).wait(300)

    text = log.read_text()
    assert code == 0, text
    assert len(re.findall(r"mnist\.[0-9a-f]{32}\.parquet", text)) == 3
    assert len(re.findall(r"round \d/3 took", text)) == 3
    accuracies = re.findall(r"(?:HTTP|once) +(0\.\d+)", text)
    assert len(accuracies) == 2
    assert min(map(float, accuracies)) > 0.85
    assert "predicted" in text
    assert "/docs" in text
    assert "Traceback" not in text
    assert "\x1b[" not in text
    assert processes_in(tmp_path) == []


def test_an_interrupted_demo_leaves_nothing(demo, tmp_path):
    log = tmp_path / "demo.log"
    with log.open("wb") as output:
        process = demo(output)
        until(lambda: "building_actors" in log.read_text(), 120, "the project is being built")

        process.send_signal(signal.SIGINT)

        assert process.wait(300) == 130
    assert processes_in(tmp_path) == []
    assert "Traceback" not in log.read_text()

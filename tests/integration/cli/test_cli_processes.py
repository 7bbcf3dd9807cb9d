"""Child processes end with their parent, however that ends."""

import os
import signal
import subprocess
import sys

import pytest

from flops_cli.errors import LocalSuiteError
from flops_cli.local.processes import Child, descendants, require_alive, wait_for
from support.waiting import until

SLEEP = [sys.executable, "-c", "import signal; print('here', flush=True); signal.pause()"]
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
STUBBORN = [
    sys.executable,
    "-c",
    f"import signal; {IGNORE}; print('here', flush=True); signal.pause(); signal.pause()",
]
PARENT = """
import os, signal, sys
from pathlib import Path
from flops_cli.local.processes import *
log = Path(sys.argv[1]) / "child.log"
children = [Child("one", {sleep!r}, dict(os.environ), log)]
try:
    interrupt_on_signals()
    for child in children:
        child.start()
    wait_for(lambda: "here" in log.read_text(), 10, "")
    print(children[0].pid, flush=True)
    signal.pause()
except InterruptedByUserError:
    pass
finally:
    for child in children:
        child.stop()
"""


@pytest.fixture
def make(tmp_path):
    made = []

    def make_child(argv, name="child"):
        child = Child(name, argv, dict(os.environ), tmp_path / f"{name}.log")
        made.append(child)
        child.start()
        return child

    yield make_child
    for child in made:
        child.stop(0.1)


def says_here(child):
    return "here" in child.last_lines()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_is_stopped(make):
    child = make(SLEEP)
    until(lambda: says_here(child))

    child.stop()

    assert child.exit_code() == -signal.SIGTERM


def test_a_child_that_ignores_sigterm_is_killed(make):
    child = make(STUBBORN)
    until(lambda: says_here(child))

    child.stop(timeout_seconds=0.3)

    assert child.exit_code() == -signal.SIGKILL


def test_a_grandchild_goes_with_the_child(make):
    code = f"import subprocess, signal; subprocess.Popen({SLEEP!r}); signal.pause()"
    child = make([sys.executable, "-c", code])
    until(lambda: says_here(child))
    below = descendants(child.pid)

    child.stop()

    assert len(below) == 1
    until(lambda: not is_alive(below[0]), what="the grandchild is gone")


def test_a_child_that_ended_is_reported_with_its_last_lines(make):
    child = make([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], "worker")
    until(lambda: child.exit_code() is not None)

    with pytest.raises(LocalSuiteError, match=r"worker ended .*exit code 3") as raised:
        require_alive([child])

    assert "the reason" in raised.value.errors


def test_waiting_ends_when_a_child_dies(make):
    child = make([sys.executable, "-c", "raise SystemExit(4)"], "store")

    with pytest.raises(LocalSuiteError, match="store ended"):
        wait_for(lambda: False, 30, "never", [child])


def test_waiting_ends_after_its_time():
    with pytest.raises(LocalSuiteError, match="the moon: not within 0 s"):
        wait_for(lambda: False, 0.2, "the moon")


@pytest.fixture
def parent(tmp_path):
    program = PARENT.format(sleep=SLEEP)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    yield process
    process.kill()
    process.wait(300)
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_child_outlives_its_parent(parent, number):
    child = int(parent.stdout.readline())

    parent.send_signal(number)

    until(lambda: not is_alive(child), what="the child is gone")

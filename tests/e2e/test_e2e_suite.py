"""The running suite keeps its secrets, and refuses clients that have not logged in."""

from pathlib import Path

import psutil
import pytest
import requests

pytestmark = pytest.mark.e2e


def test_the_api_refuses_strangers(world):
    answer = requests.get(f"{world.suite.network.api_url}/api/flops/projects", timeout=120)

    assert answer.status_code == 401


def test_no_secret_is_in_an_argument_or_a_log(world):
    below = psutil.Process(world.suite.pid).children(recursive=True)
    arguments = [Path(f"/proc/{item.pid}/cmdline") for item in below]
    logs = [*(world.state / "logs").iterdir()]

    text = "".join(
        item.read_text(errors="replace") for item in [*arguments, *logs] if item.exists()
    )

    assert len(below) > 5
    assert len(logs) > 4
    assert world.suite.secrets.broker_password not in text

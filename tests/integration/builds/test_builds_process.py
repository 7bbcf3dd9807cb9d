"""The builder as a process: configured by environment, answering over MQTT and by exit code."""

import os
import subprocess
import sys

from flops_contracts.envelope import decode
from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from flops_contracts.topics import project_topics
from flops_runtime.environment import read
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings
from support.broker import running_broker
from support.waiting import until


def test_a_failed_build_is_reported_with_its_reason_and_exit_code(builder, tmp_path):
    url = (tmp_path / "nothing").as_uri()
    order = builder.environment(FLOPS_BUILD="actors", FLOPS_ML_REPO_URL=url)
    heard = []
    with running_broker() as broker:
        settings = read(MqttSettings, broker.environment)
        connection = MqttConnection(settings, f"test-{os.getpid()}")
        results = project_topics(order["FLOPS_PROJECT_ID"]).result("bldx1")
        connection.subscribe(results, lambda _topic, data: heard.append(decode(data)))
        with connection:
            finished = subprocess.run(
                [sys.executable, "-m", "flops_image_builder"],
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(tmp_path),
                    **order,
                    **broker.environment,
                    "FLOPS_BIND_ADDRESS": "127.0.0.1",
                    "FLOPS_STATUS_PORT": "0",
                    "FLOPS_ACKNOWLEDGE_TIMEOUT_SECONDS": "0.5",
                },
                timeout=120,
                check=False,
            )
            until(lambda: heard, what="the result")

    assert finished.returncode == ExitCode.REPOSITORY_UNREACHABLE
    assert heard[0].kind is Kind.FAILED
    assert heard[0].payload.error == "RepositoryUnreachableError"
    assert "cannot be cloned" in heard[0].payload.reason

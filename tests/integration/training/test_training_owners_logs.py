"""The owner of a node decides whether learners' logs leave it: a real data server is asked."""

import pytest

from flops_contracts.events import Notice
from flops_learner.bootstrap import ReportingListener, ask_owner
from flops_learner.settings import Settings
from flops_runtime.environment import read
from flops_runtime.logs import LastLines
from support.broker import free_port
from support.certificates import a_certificate
from support.data_plane import a_data_server


class RecordingReporter:
    """Replaces a learner's ``Reporter`` and remembers its calls."""

    def __init__(self):
        self.decisions = []
        self.notices = []
        self.last_lines = LastLines()

    def decide_on_logs(self, *, may_leave):
        self.decisions.append(may_leave)

    def notice(self, message):
        self.notices.append(Notice(message).message)


def settings_for(address, **more):
    return read(
        Settings,
        {
            "FLOPS_INSTANCE": "lrn0",
            "FLOPS_PROJECT_ID": "p1",
            "FLOPS_STAGE": "training",
            "FLOPS_MQTT_URL": "mqtt://127.0.0.1:9",
            "FLOPS_AGGREGATOR_ADDRESS": "127.0.0.1:9",
            "FLOPS_GRID_TOKEN": "t",
            "FLOPS_DATA_SERVER_ADDRESS": address,
            **more,
        },
    )


@pytest.mark.parametrize("may_leave", [True, False])
def test_the_owner_of_the_node_decides(tmp_path, may_leave):
    reporter = RecordingReporter()
    listener = ReportingListener(reporter)

    with a_data_server(tmp_path, logs_may_leave=may_leave) as server:
        ask_owner(settings_for(server.address), listener)
    listener.raised("Traceback: row 17 is 36.6 degrees")

    assert reporter.decisions == [may_leave]
    assert any("row 17" in notice for notice in reporter.notices) is may_leave
    assert any("owner" in notice for notice in reporter.notices) is not may_leave


def test_without_an_answer_logs_stay():
    reporter = RecordingReporter()

    ask_owner(
        settings_for(f"127.0.0.1:{free_port()}"), ReportingListener(reporter), patience_seconds=0.2
    )

    assert reporter.decisions == []


def test_a_server_with_tls_is_asked_by_who_trusts_its_authority(tmp_path):
    certificate, key = a_certificate()
    trusting, others = RecordingReporter(), RecordingReporter()

    with a_data_server(
        tmp_path, logs_may_leave=True, tls_certificate=certificate, tls_key=key
    ) as server:
        settings = settings_for(server.address, FLOPS_DATA_SERVER_CA=certificate)
        ask_owner(settings, ReportingListener(trusting))
        ask_owner(settings_for(server.address), ReportingListener(others), patience_seconds=0.5)

    assert (trusting.decisions, others.decisions) == ([True], [])

"""A connection to the broker that one thread ends while another one begins it."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from flops_runtime.mqtt import BrokerUnreachableError, MqttConnection
from flops_runtime.settings import MqttSettings
from support.broker import free_port


@pytest.fixture
def connection():
    away = MqttSettings(f"mqtt://127.0.0.1:{free_port()}", connect_timeout_seconds=60)
    return MqttConnection(away, "in-two-threads")


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_an_end_waits_for_a_beginning_that_is_under_way(connection, threads):
    begins, may_begin = threading.Event(), threading.Event()

    def pause_before_a_thread_starts(frame, event, _):
        if event == "call" and frame.f_code is threading.Thread.start.__code__:
            begins.set()
            may_begin.wait(300)

    def connect():
        sys.settrace(pause_before_a_thread_starts)
        connection.connect()

    connecting = threads.submit(connect)
    assert begins.wait(300)
    closing = threads.submit(connection.close)
    wait([closing], timeout=0.2)
    may_begin.set()

    assert closing.exception(10) is None
    assert isinstance(connecting.exception(10), BrokerUnreachableError)
    assert not _loops()


def test_nothing_begins_after_the_end(connection):
    connection.close()

    with pytest.raises(BrokerUnreachableError):
        connection.connect()

    assert not _loops()


def _loops():
    return [item.name for item in threading.enumerate() if "in-two-threads" in item.name]

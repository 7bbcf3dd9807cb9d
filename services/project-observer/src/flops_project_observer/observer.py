"""Wires the observer: from the broker to the journal, the pages and standard output."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_project_observer.journal import Journal
from flops_project_observer.pages import Pages
from flops_project_observer.settings import Settings
from flops_runtime.mqtt import MqttConnection
from flops_runtime.one_shot import TerminationRequested, configure_process, terminate_cleanly
from flops_runtime.status import Status, StatusServer


@contextmanager
def observing(settings: Settings, write_line: Callable[[str], None]) -> Iterator[Pages]:
    """Follow the project until the block ends.

    Raises ``BrokerUnreachableError`` or ``PortTakenError``.
    """
    actor = settings.actor
    journal = Journal(settings.kept_events, write_line)
    status = Status("project_observer")
    connection = MqttConnection(actor.mqtt, f"{actor.actor.instance}-{os.getpid()}")
    connection.subscribe(actor.topics.all_events, journal.take)
    address = actor.process.bind_address
    with ExitStack() as stack:
        stack.enter_context(StatusServer(actor.process, status))
        pages = Pages(address, settings.order.port, actor.subject_id, journal, actor.instance)
        stack.enter_context(pages)
        status.doing("connecting to the broker")
        stack.enter_context(connection)
        status.doing("following the project")
        status.ready()
        yield pages


def run(settings: Settings, write_line: Callable[[str], None]) -> ExitCode:
    """Follow the project until SIGTERM; return the exit code."""
    configure_process(settings.actor)
    terminate_cleanly()
    try:
        with observing(settings, write_line):
            write_line(f"following project {settings.actor.subject_id}")
            threading.Event().wait()
    except FlopsError as error:
        write_line(f"{error.reason}. {error.hint}".rstrip())
        return error.exit_code
    except TerminationRequested:
        pass
    return ExitCode.DONE

"""The way of an event to a page: stored as it is sent, passed on as it is stored."""

import re

import pytest

from flops_contracts.roles import Stage
from flops_manager.entrypoints.web.site import add_site
from flops_manager.entrypoints.web.visitors import LocalVisitors
from flops_manager.ports.stores import StoredEvent
from support.api_samples import HISTORY, a_project
from support.manager_api import World, by
from support.memory.stores import MemoryEventStore
from support.wire_samples import PROJECT_ID

PAGE = f"/projects/{PROJECT_ID}"
EVENTS = f"/api/flops{PAGE}/events"


class CountedHistory(MemoryEventStore):
    """Counts how often events are read."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def after(self, subject_id, seq, limit):
        self.reads += 1
        return super().after(subject_id, seq, limit)


class FutureHistory(MemoryEventStore):
    """Has an event that this version could not decode."""

    document = {"event_id": "e1", "kind": "of the future", "payload": {"unknown": 1}}  # noqa: RUF012

    def after(self, subject_id, seq, limit):
        return [StoredEvent(1, self.document)] if seq == 0 else []


@pytest.fixture
def client_of():
    def client(world):
        app = world.api()
        add_site(app, world.use_cases(), LocalVisitors(), None)
        client = app.test_client()
        client.environ_base["HTTP_HOST"] = "127.0.0.1:5072"
        return client

    return client


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}/live", f"{PAGE}/events"])
def test_a_page_reads_no_events(client_of, path):
    history = CountedHistory()
    world = World(history=history).has(a_project(Stage.COMPLETED)).tells(*HISTORY)
    history.reads = 0

    answer = client_of(world).get(path, base_url="http://127.0.0.1:5072")

    assert (answer.status_code in {200, 286}, history.reads) == (True, 0)


def test_a_page_is_sent_the_number_of_the_newest_event(client_of):
    world = World().has(a_project(Stage.COMPLETED)).tells(*HISTORY)

    stream = client_of(world).get(f"{PAGE}/events", base_url="http://127.0.0.1:5072").text

    newest = str(len(HISTORY))
    assert re.findall(r"^id: (\d+)$", stream, re.MULTILINE) == [newest]
    assert re.findall(r"^data: (.+)$", stream, re.MULTILINE) == [f'{{"seq": {newest}}}']


def test_stored_events_are_answered_without_decoding_them():
    world = World(history=FutureHistory()).has(a_project())

    answer = world.api().test_client().get(EVENTS, headers=by("ada's"))

    assert answer.json["events"] == [{"seq": 1, **FutureHistory.document}]

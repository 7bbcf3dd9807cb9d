"""The promises of the manager's stores and leases, in memory and over a real connection."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flops_contracts.envelope import document_from_event
from flops_contracts.events import Heartbeat, Kind, Notice
from flops_contracts.roles import MockStage, Role, Stage
from flops_manager.adapters.mongo import (
    MongoEventStore,
    MongoLeases,
    MongoRecords,
    connect,
    mongo_mocks,
    mongo_projects,
)
from flops_manager.adapters.mongo_heartbeats import MongoHeartbeats
from flops_manager.domain.commands import Announce, Deploy, Place
from flops_manager.domain.errors import (
    AlreadyExistsError,
    RecordTooLargeError,
    StaleProjectError,
    StoreUnavailableError,
    SubjectNotFoundError,
    UnreadableRecordError,
    UnstorableError,
)
from flops_manager.domain.liveness import LastHeartbeat
from flops_manager.domain.queue import Brief
from flops_manager.ports.stores import Pending, Record
from support.broker import free_port
from support.manager_core import NOW, MovableClock, a_mock, a_project, an_event
from support.memory.heartbeats import MemoryHeartbeats
from support.memory.stores import MemoryEventStore, MemoryLeases, memory_mocks, memory_projects


class ProjectStoreContract:
    """The promises of every project store. Subclasses supply the ``store`` fixture."""

    def test_what_is_added_is_found_again(self, store):
        record = Record(a_project("p1"), 0, (Pending(Announce("submitted", ""), 2),))

        store.add(record)

        assert store.get("p1") == record

    def test_an_id_is_taken_once(self, store):
        store.add(Record(a_project("p1")))

        with pytest.raises(AlreadyExistsError):
            store.add(Record(a_project("p1", commit="another")))

        assert store.get("p1").subject.commit == ""

    def test_what_is_not_there_is_missing(self, store):
        with pytest.raises(SubjectNotFoundError):
            store.get("p1")

    def test_the_second_of_two_writers_loses(self, store):
        store.add(Record(a_project("p1")))
        record = store.get("p1")
        store.save(replace(record, subject=a_project("p1", commit="first")))

        with pytest.raises(StaleProjectError):
            store.save(replace(record, subject=a_project("p1", commit="second")))

        assert store.get("p1").subject.commit == "first"

    def test_a_save_replaces_state_and_outbox_in_one(self, store):
        store.add(Record(a_project("p1"), 0, (Pending(Place()),)))
        record = store.get("p1")
        todo = (Pending(Deploy(Role.BUILDER, Stage.BUILDING_ACTORS, 3)),)

        store.save(Record(a_project("p1", commit="c0ffee"), record.version, todo))

        saved = store.get("p1")
        assert saved == Record(a_project("p1", commit="c0ffee"), record.version + 1, todo)

    def test_unfinished_projects_are_listed_in_brief(self, store):
        going, over = a_project("p1"), a_project("p2", stage=Stage.FAILED)
        for project in (going, over, a_project("p3", is_deleted=True)):
            store.add(Record(project))

        assert list(store.unfinished()) == [Brief("p1", "anna", "submitted", going.created_at)]

    def test_a_removed_one_cannot_be_saved_again(self, store):
        store.add(Record(a_project("p1")))
        record = store.get("p1")
        store.remove("p1")

        with pytest.raises(StaleProjectError):
            store.save(record)

    def test_removing_twice_is_fine(self, store):
        store.add(Record(a_project("p1")))

        store.remove("p1")
        store.remove("p1")

        with pytest.raises(SubjectNotFoundError):
            store.get("p1")

    def test_the_list_is_newest_first_in_pages(self, store):
        first = a_project("p1")
        for number in (2, 1, 3):
            later = first.created_at + timedelta(seconds=number)
            store.add(Record(replace(first, id=f"p{number}", created_at=later)))

        items, total = store.list(None, None, 1, 1)

        assert ([item.id for item in items], total) == (["p2"], 3)

    def test_an_owner_sees_their_own_of_the_stage_they_ask_for(self, store):
        store.add(Record(a_project("p1", customer_id="anna", stage=Stage.FAILED)))
        store.add(Record(a_project("p2", customer_id="anna", stage=Stage.TRAINING)))
        store.add(Record(a_project("p3", customer_id="ben", stage=Stage.FAILED)))

        assert [item.id for item in store.list("anna", Stage.FAILED, 0, 9)[0]] == ["p1"]
        assert store.list("anna", None, 0, 9)[1] == 2
        assert store.list(None, Stage.FAILED, 0, 9)[1] == 2

    def test_what_is_deleted_is_not_listed(self, store):
        store.add(Record(a_project("p1", is_deleted=True)))

        assert store.list(None, None, 0, 9) == ((), 0) or store.list(None, None, 0, 9) == ([], 0)

    def test_busy_are_those_with_something_to_do(self, store):
        store.add(Record(a_project("p1"), 0, (Pending(Place()),)))
        store.add(Record(a_project("p2")))

        assert list(store.busy()) == ["p1"]

    def test_active_are_those_that_have_not_ended_or_only_just(self, store):
        then = NOW - timedelta(seconds=60)
        store.add(Record(a_project("p1", stage=Stage.TRAINING, updated_at=then)))
        store.add(Record(a_project("p2", stage=Stage.COMPLETED, updated_at=then)))
        store.add(Record(a_project("p3", stage=Stage.COMPLETED)))

        assert {item.id for item in store.active(NOW)} == {"p1"}
        assert {item.id for item in store.active(NOW - timedelta(seconds=30))} == {"p1", "p3"}


class TestMemoryProjectStore(ProjectStoreContract):
    @pytest.fixture
    def store(self):
        return memory_projects()


class TestMongoProjectStore(ProjectStoreContract):
    @pytest.fixture
    def store(self, database):
        store = mongo_projects(database)
        store.create_indexes()
        store.create_indexes()
        return store

    def test_a_database_that_is_away_is_said_to_be(self):
        database = connect(f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=100")

        with pytest.raises(StoreUnavailableError):
            mongo_projects(database).get("p1")

    def test_what_is_too_large_is_said_to_be(self, store):
        store.add(Record(a_project("p1")))
        record = store.get("p1")

        with pytest.raises(RecordTooLargeError):
            store.save(replace(record, subject=a_project("p1", commit="x" * 17_000_000)))

        assert store.get("p1") == record

    @pytest.mark.parametrize("change", [{"commit": "half of a pair: \ud800"}, {"attempt": 2**70}])
    def test_what_no_document_can_hold_is_an_error_that_is_not_tried_again(self, store, change):
        store.add(Record(a_project("p1")))
        record = store.get("p1")

        with pytest.raises(UnstorableError):
            store.save(replace(record, subject=a_project("p1", **change)))

        assert store.get("p1") == record

    def test_unreadable_documents_are_skipped_with_a_warning(self, store, database, caplog):
        store.add(Record(a_project("p1"), 0, (Pending(Place()),)))
        database["projects"].insert_one({"_id": "odd", "stage": "training", "is_deleted": False})

        assert [item.id for item in store.active(NOW)] == ["p1"]
        assert [item.id for item in store.list(None, None, 0, 10)[0]] == ["p1"]
        assert "What is stored as odd cannot be read" in caplog.text
        with pytest.raises(UnreadableRecordError):
            store.get("odd")


class MockStoreContract:
    """The promises of every mock store beyond those of project stores."""

    def test_what_is_added_is_found_again(self, store):
        record = Record(a_mock("m1"), 0, (Pending(Place()),))

        store.add(record)

        assert store.get("m1") == record

    def test_what_is_not_there_is_missing(self, store):
        with pytest.raises(SubjectNotFoundError):
            store.get("m1")

    def test_active_are_those_that_have_not_ended(self, store):
        store.add(Record(a_mock("m1", stage=MockStage.PROVIDING)))
        store.add(Record(a_mock("m2", stage=MockStage.FAILED)))

        assert [item.id for item in store.active(NOW)] == ["m1"]


class TestMemoryMockStore(MockStoreContract):
    @pytest.fixture
    def store(self):
        return memory_mocks()


class TestMongoMockStore(MockStoreContract):
    @pytest.fixture
    def store(self, database) -> MongoRecords:
        return mongo_mocks(database)


def a_notice(text, event_id):
    project = a_project("p1")
    instance = project.services[0].instance
    return an_event(project, instance, Kind.NOTICE, Notice(text), event_id=event_id)


class EventStoreContract:
    """The promises of every history."""

    def test_events_are_numbered_from_one_for_each_subject(self, store):
        store.append("p1", a_notice("one", "e1"))
        store.append("p2", a_notice("other", "e1"))
        store.append("p1", a_notice("two", "e2"))

        stored = store.after("p1", 0, 9)

        messages = [(event.seq, event.document["payload"]["message"]) for event in stored]
        assert messages == [(1, "one"), (2, "two")]

    def test_an_event_is_stored_once(self, store):
        assert store.append("p1", a_notice("one", "e1"))

        assert not store.append("p1", a_notice("one", "e1"))

        assert len(store.after("p1", 0, 9)) == 1

    def test_reading_goes_on_where_it_stopped(self, store):
        for number in range(5):
            store.append("p1", a_notice(str(number), f"e{number}"))

        assert [item.seq for item in store.after("p1", 2, 2)] == [3, 4]
        assert list(store.after("p1", 5, 2)) == []

    def test_an_event_comes_back_as_the_document_that_was_sent(self, store):
        event = a_notice("a.b $c\u00e4", "e1")

        store.append("p1", event)

        assert store.after("p1", 0, 1)[0].document == document_from_event(event)

    def test_the_last_number_is_read_alone(self, store):
        assert store.last("p1") == 0

        for number in range(3):
            store.append("p1", a_notice(str(number), f"e{number}"))

        assert (store.last("p1"), store.last("p2")) == (3, 0)

    def test_a_removed_history_is_empty(self, store):
        store.append("p1", a_notice("one", "e1"))

        store.remove("p1")

        assert list(store.after("p1", 0, 9)) == []


class TestMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def store(self):
        return MemoryEventStore()


class TestMongoEventStore(EventStoreContract):
    @pytest.fixture
    def store(self, database):
        store = MongoEventStore(database)
        store.create_indexes()
        return store


class LeasesContract:
    """The promises of every store of leases."""

    def test_one_holder_at_a_time(self, leases):
        assert leases.acquire("worker", "a", 10)

        assert not leases.acquire("worker", "b", 10)

    def test_the_holder_may_renew(self, leases):
        leases.acquire("worker", "a", 10)

        assert leases.acquire("worker", "a", 10)

    def test_a_lease_that_ran_out_is_free(self, leases, clock):
        leases.acquire("worker", "a", 10)

        clock.pass_seconds(11)

        assert leases.acquire("worker", "b", 10)
        assert not leases.acquire("worker", "a", 10)

    def test_a_lease_that_was_given_back_is_free(self, leases):
        leases.acquire("worker", "a", 10)

        leases.release("worker", "a")

        assert leases.acquire("worker", "b", 10)

    def test_nobody_gives_back_what_others_hold(self, leases):
        leases.acquire("worker", "a", 10)

        leases.release("worker", "b")

        assert not leases.acquire("worker", "b", 10)

    def test_leases_of_other_names_are_free(self, leases):
        leases.acquire("worker", "a", 10)

        assert leases.acquire("tracking/anna", "b", 10)


@pytest.fixture
def clock():
    return MovableClock()


class TestMemoryLeases(LeasesContract):
    @pytest.fixture
    def leases(self, clock):
        return MemoryLeases(clock)


class TestMongoLeases(LeasesContract):
    @pytest.fixture
    def leases(self, database, clock):
        return MongoLeases(database, clock)


def a_heartbeat(instance="agg1", state="training", seconds=0, **more):
    return LastHeartbeat(instance, NOW + timedelta(seconds=seconds), Heartbeat(state, **more))


class HeartbeatsContract:
    """The promises of every store of heartbeats."""

    def test_the_last_heartbeat_of_each_actor_stays(self, heartbeats):
        heartbeats.add("p1", a_heartbeat("agg1"))
        heartbeats.add("p1", a_heartbeat("lrn1"))
        later = a_heartbeat("agg1", "waiting", 10, round=2, memory_mb=300.5, rows=40)

        assert heartbeats.renew("p1", later)

        assert heartbeats.of("p1") == {"agg1": later, "lrn1": a_heartbeat("lrn1")}

    def test_only_what_was_added_is_renewed(self, heartbeats):
        heartbeats.add("p1", a_heartbeat("agg1"))

        assert not heartbeats.renew("p1", a_heartbeat("lrn1"))
        assert not heartbeats.renew("p2", a_heartbeat("agg1"))

        assert set(heartbeats.of("p1", "p2")) == {"agg1"}

    def test_adding_twice_replaces(self, heartbeats):
        heartbeats.add("p1", a_heartbeat(state="first"))

        heartbeats.add("p1", a_heartbeat(state="second"))

        assert heartbeats.of("p1")["agg1"].heartbeat.state == "second"

    def test_projects_are_read_together_or_alone(self, heartbeats):
        heartbeats.add("p1", a_heartbeat("agg1"))
        heartbeats.add("p2", a_heartbeat("agg2"))

        assert set(heartbeats.of("p1", "p2", "p3")) == {"agg1", "agg2"}
        assert set(heartbeats.of("p2")) == {"agg2"}
        assert heartbeats.of() == {}

    def test_a_removed_project_has_none(self, heartbeats):
        heartbeats.add("p1", a_heartbeat("agg1"))
        heartbeats.add("p2", a_heartbeat("agg2"))

        heartbeats.remove("p1")
        heartbeats.remove("p1")

        assert set(heartbeats.of("p1", "p2")) == {"agg2"}
        assert not heartbeats.renew("p1", a_heartbeat("agg1"))


class TestMemoryHeartbeats(HeartbeatsContract):
    @pytest.fixture
    def heartbeats(self):
        return MemoryHeartbeats()


class TestMongoHeartbeats(HeartbeatsContract):
    @pytest.fixture
    def heartbeats(self, database):
        heartbeats = MongoHeartbeats(database)
        heartbeats.create_indexes()
        return heartbeats

"""The promises of the stores of logs, in memory and over a real connection."""

from datetime import timedelta

import pytest

from flops_manager.adapters.mongo_logs import MongoLogStore
from support.log_batches import a_batch
from support.manager_core import NOW
from support.memory.logs import MemoryLogStore


class LogStoreContract:
    def test_batches_come_back_in_order(self, store):
        first, second = a_batch("p1", 1, "one", "two"), a_batch("p1", 3, "three")
        assert store.append(first, NOW)
        assert store.append(second, NOW)
        store.append(a_batch("p2", 1, "another project"), NOW)

        stored = store.after("p1", 0, 10)

        assert [item.batch for item in stored] == [first, second]
        assert store.after("p1", stored[0].seq, 10) == stored[1:]
        assert store.after("p1", 0, 1) == stored[:1]
        assert store.newest("p1", 1) == stored[1:]

    def test_a_batch_that_comes_twice_is_kept_once(self, store):
        batch = a_batch("p1", 1, "one")

        assert store.append(batch, NOW)
        assert not store.append(batch, NOW)

        assert len(store.after("p1", 0, 10)) == 1

    def test_another_process_of_the_actor_counts_from_one_again(self, store):
        assert store.append(a_batch("p1", 1, "one", run="a"), NOW)
        assert store.append(a_batch("p1", 1, "one", run="b"), NOW)

    def test_actors_and_nodes_are_distinguished(self, store):
        first = a_batch("p1", 1, "here", instance="lrn0", node="n1")
        second = a_batch("p1", 1, "there", instance="lrn1", node="n2", run="another")
        for batch in (first, second):
            store.append(batch, NOW)

        assert [item.batch for item in store.after("p1", 0, 10, actor="lrn1")] == [second]
        assert [item.batch for item in store.newest("p1", 10, node="n1")] == [first]
        assert len(store.after("p1", 0, 10, actor="learner")) == 2

    def test_the_last_number_of_a_process_is_that_of_the_batches_before(self, store):
        for number, text in ((1, "one"), (2, "two"), (9, "nine")):
            store.append(a_batch("p1", number, text), NOW)
        store.append(a_batch("p1", 1, "another process", run="b"), NOW)
        third = store.after("p1", 0, 10)[2]

        assert store.last_number("p1", third.batch.run, third.seq) == 2
        assert store.last_number("p1", third.batch.run, 1) is None
        assert store.last_number("p2", third.batch.run, third.seq) is None

    def test_the_oldest_beyond_a_size_go(self, store):
        for number in range(1, 6):
            store.append(a_batch("p1", number, "x" * 10), NOW)
        store.append(a_batch("p2", 1, "x" * 100), NOW)

        store.trim("p1", 25)

        assert [item.batch.lines[0].number for item in store.after("p1", 0, 10)] == [4, 5]
        assert len(store.after("p2", 0, 10)) == 1

    def test_numbers_go_on_behind_what_was_trimmed(self, store):
        for number in (1, 2):
            store.append(a_batch("p1", number, "x" * 10), NOW)
        store.trim("p1", 15)
        store.append(a_batch("p1", 3, "x"), NOW)

        assert [item.seq for item in store.after("p1", 0, 10)] == [2, 3]

    def test_old_ones_and_those_of_a_project_are_forgotten(self, store):
        store.append(a_batch("p1", 1, "old"), NOW - timedelta(days=15))
        store.append(a_batch("p1", 2, "new"), NOW)
        store.append(a_batch("p2", 1, "new"), NOW)

        store.remove_before(NOW - timedelta(days=14))
        assert [item.batch.lines[0].message for item in store.after("p1", 0, 10)] == ["new"]

        store.remove("p1")
        assert store.after("p1", 0, 10) == []
        assert len(store.after("p2", 0, 10)) == 1


class TestMemoryLogStore(LogStoreContract):
    @pytest.fixture
    def store(self):
        return MemoryLogStore()


class TestMongoLogStore(LogStoreContract):
    @pytest.fixture
    def store(self, database):
        store = MongoLogStore(database)
        store.create_indexes()
        return store

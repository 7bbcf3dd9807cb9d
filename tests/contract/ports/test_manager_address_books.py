"""The promises of the manager's address books, in memory and over a real connection."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flops_manager.adapters.mongo import connect
from flops_manager.adapters.mongo_addresses import MongoAddressBook
from flops_manager.domain.deployments import PortRange, service_address
from flops_manager.domain.errors import NoPortLeftError, StoreUnavailableError
from support.broker import free_port
from support.manager_core import MovableClock
from support.memory.addresses import MemoryAddressBook


class AddressBookContract:
    """The promises of every address book. Subclasses supply ``book``."""

    def test_a_key_keeps_its_address(self, book):
        first = book.address_for("aggx1")

        assert book.address_for("aggx1") == first

    def test_an_address_that_was_given_up_is_not_offered_again(self, book):
        first = book.address_for("aggx1")

        book.give_up("aggx1", first)

        assert book.address_for("aggx1") != first

    def test_an_address_that_was_given_up_goes_to_nobody_else(self, book):
        book.give_up("aggx1", book.address_for("aggx1"))
        names = [f"aggx{number}" for number in range(2, 40)]

        addresses = {book.address_for(name) for name in names}

        assert service_address("aggx1", 0) not in addresses
        assert len(addresses) == len(names)

    def test_nobody_gives_up_the_address_of_somebody_else(self, book):
        first = book.address_for("aggx1")

        book.give_up("aggx2", first)

        assert book.address_for("aggx1") == first

    def test_of_many_at_once_each_gets_an_address_of_its_own(self, book):
        names = [f"aggx{number}" for number in range(60)]
        with ThreadPoolExecutor(12) as pool:
            addresses = list(pool.map(book.address_for, names))

        assert len(set(addresses)) == len(names)

    def test_of_many_who_ask_for_one_key_all_get_the_same(self, book):
        with ThreadPoolExecutor(12) as pool:
            addresses = set(pool.map(book.address_for, ["aggx1"] * 24))

        assert addresses == {service_address("aggx1", 0)}

    def test_the_address_that_rested_longest_comes_again_when_all_are_used(self, tiny_book):
        first = tiny_book.address_for("aggx1")
        taken = tiny_book.address_for("aggx2")
        tiny_book.use_up("aggx3")

        assert tiny_book.address_for("aggx3") == first
        assert tiny_book.address_for("aggx2") == taken

    def test_of_many_at_once_each_gets_a_port_of_its_own_and_keeps_it(self, book):
        names = [f"mdlx{number}" for number in range(60)]
        with ThreadPoolExecutor(12) as pool:
            ports = list(pool.map(book.port_for, names))

        assert len(set(ports)) == len(names)
        assert set(ports) <= set(PortRange().numbers)
        assert [book.port_for(name) for name in names] == ports

    def test_ports_in_use_are_never_given_twice(self, narrow_book):
        ports = {narrow_book.port_for(name) for name in ("mdlx1", "mdlx2", "mdlx3")}

        assert ports == {21_000, 21_001, 21_002}
        with pytest.raises(NoPortLeftError):
            narrow_book.port_for("mdlx4")

    def test_the_port_that_was_released_first_is_given_again(self, narrow_book):
        ports = {name: narrow_book.port_for(name) for name in ("mdlx1", "mdlx2", "mdlx3")}

        narrow_book.release_port("mdlx2")
        narrow_book.release_port("mdlx1")
        narrow_book.release_port("never-had-one")

        assert narrow_book.port_for("mdlx4") == ports["mdlx2"]
        assert narrow_book.port_for("mdlx3") == ports["mdlx3"]


NARROW = PortRange(21_000, 21_002)


class TestMemoryAddressBook(AddressBookContract):
    @pytest.fixture
    def book(self):
        return MemoryAddressBook()

    @pytest.fixture
    def narrow_book(self):
        return MemoryAddressBook(ports=NARROW)

    @pytest.fixture
    def tiny_book(self):
        return Tiny()


class Tiny(MemoryAddressBook):
    """A book that looks at one address for each key."""

    def __init__(self):
        super().__init__(attempts=1)

    def use_up(self, key):
        self._keys[service_address(key, 0)] = "somebody"


class TestMongoAddressBook(AddressBookContract):
    @pytest.fixture
    def clock(self):
        return MovableClock()

    @pytest.fixture
    def book(self, database, clock):
        book = MongoAddressBook(database, clock, PortRange())
        book.create_indexes()
        book.create_indexes()
        return book

    @pytest.fixture
    def narrow_book(self, database, clock):
        return Aging(MongoAddressBook(database, clock, NARROW), clock)

    @pytest.fixture
    def tiny_book(self, database, clock):
        return Aging(MongoAddressBook(database, clock, PortRange(), attempts=1), clock)

    def test_a_database_that_is_away_is_said_to_be(self, clock):
        database = connect(f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=100")

        with pytest.raises(StoreUnavailableError):
            MongoAddressBook(database, clock, PortRange()).address_for("aggx1")


class Aging:
    """A book in which a second passes between two entries."""

    def __init__(self, book, clock):
        self._book = book
        self._clock = clock

    def address_for(self, key):
        self._clock.pass_seconds(1)
        return self._book.address_for(key)

    def port_for(self, key):
        self._clock.pass_seconds(1)
        return self._book.port_for(key)

    def release_port(self, key):
        self._clock.pass_seconds(1)
        self._book.release_port(key)

    def use_up(self, key):
        entry = {"_id": service_address(key, 0), "key": "somebody", "given_at": "9"}
        self._book._addresses._collection.insert_one(entry)

"""Cancel, retry and delete of one project by many at once, over a real store, with a worker."""

import random
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from flops_contracts.roles import Stage
from flops_manager.adapters.mongo import (
    MongoEventStore,
    MongoLeases,
    connect,
    mongo_mocks,
    mongo_projects,
)
from flops_manager.adapters.mongo_addresses import MongoAddressBook
from flops_manager.domain.deployments import PortRange
from flops_manager.domain.errors import IllegalTransitionError, SubjectNotFoundError
from flops_manager.usecases.rhythm import Rhythm
from support.manager_core import ANNA, Core
from support.mortal import Cast
from support.store import running_store, store_program
from support.waiting import until

CALLERS = 4
VERBS_EACH = 8
STAYS = {"obs", "trk", "mdl"}


class StoredCore(Core):
    """A core whose stores are real."""

    # A lease that outlives the hiccups of a busy machine.
    rhythm = Rhythm(poll_seconds=0.05, watch_seconds=0.1, lease_seconds=30, settle_seconds=0.0)

    def __init__(self, database):
        super().__init__()
        stores = {
            "projects": mongo_projects(database),
            "mocks": mongo_mocks(database),
            "history": MongoEventStore(database),
            "leases": MongoLeases(database, self.clock),
            "addresses": MongoAddressBook(database, self.clock, PortRange()),
        }
        for store in (stores["projects"], stores["mocks"], stores["history"]):
            store.create_indexes()
        self.adapters = replace(self.adapters, **stores)
        self.app = self.another("worker-1")


@pytest.fixture(scope="module")
def store_url():
    if store_program() is None:
        pytest.skip("no embedded store here: install secantusdb, or set FLOPS_TEST_STORE")
    with running_store() as url:
        yield url


@pytest.fixture
def core(store_url):
    database = connect(store_url)
    core = StoredCore(database)
    with core.working():
        yield core
    database.client.close()


def steer(core, project_id, seed, verbs):
    """Ask for one thing after the other, as a client does; refusals are answers, too."""
    draw = random.Random(seed)
    ask = {
        "cancel": core.app.projects.cancel,
        "retry": core.app.projects.retry,
        "delete": core.app.projects.delete,
    }
    for _ in range(VERBS_EACH):
        with suppress(IllegalTransitionError, SubjectNotFoundError):
            ask[draw.choice(verbs)](project_id, ANNA)


def race(core, project_id, verbs):
    """Have all clients ask at once while the actors act; return unexpected errors and the cast."""
    errors = []

    def call(seed):
        try:
            steer(core, project_id, seed, verbs)
        except Exception as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(CALLERS)]
    for thread in threads:
        thread.start()
    cast = Cast(core)
    until(
        lambda: cast.act() or not any(thread.is_alive() for thread in threads),
        60,
        "all have had answers",
    )
    return errors, cast


def roles_of_services(core):
    return {name[:3] for name in core.orchestrator.running()}


def is_quiet(core):
    return not core.adapters.projects.busy()


def test_cancel_and_retry_by_many_leave_a_project_that_can_be_brought_to_its_end(core):
    project_id = core.submit()

    errors, cast = race(core, project_id, ("cancel", "retry"))

    assert errors == []
    with suppress(IllegalTransitionError):
        core.app.projects.retry(project_id, ANNA)
    until(
        lambda: cast.act() or core.project(project_id).stage is Stage.COMPLETED, 60, "it completes"
    )
    until(lambda: is_quiet(core), 30, "nothing is left to do")
    assert roles_of_services(core) == STAYS
    core.app.projects.delete(project_id, ANNA)
    until(lambda: is_quiet(core), 30, "it is deleted")


def test_delete_among_them_wins_and_leaves_nothing(core):
    project_id = core.submit()

    errors, _ = race(core, project_id, ("cancel", "retry", "delete"))
    with suppress(SubjectNotFoundError):
        core.app.projects.delete(project_id, ANNA)

    assert errors == []
    until(lambda: is_quiet(core), 30, "nothing is left to do")
    with pytest.raises(SubjectNotFoundError):
        core.project(project_id)
    assert roles_of_services(core) <= {"trk"}
    assert core.adapters.history.after(project_id, 0, 10) == []

"""A real store for the adapters of the manager's ports."""

import pytest

from flops_manager.adapters.mongo import connect
from support.store import running_store, store_program


@pytest.fixture(scope="session")
def store_url():
    if store_program() is None:
        pytest.skip("no embedded store here: install secantusdb, or set FLOPS_TEST_STORE")
    with running_store() as url:
        yield url


@pytest.fixture
def database(store_url):
    """Return an empty database."""
    database = connect(store_url)
    for name in database.list_collection_names():
        database.drop_collection(name)
    yield database
    database.client.close()

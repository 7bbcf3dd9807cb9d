"""One running world and one Chromium for all of these tests; a page of its own for each."""

import pytest

from support.browsing import CHROMIUM, Complaints, chromium, sign_in
from support.suite import a_repository, running_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    if not CHROMIUM:
        pytest.fail("There is no Chromium: install Debian's, or set FLOPS_CHROMIUM.")
    with running_world(tmp_path_factory.mktemp("world")) as world:
        world.provide("mnist")
        yield world


@pytest.fixture(scope="session")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    return a_repository(tmp_path_factory.mktemp("repositories") / "digits")


@pytest.fixture
def page(world, browser):
    """Return a page that is signed in; afterwards it must have had nothing to complain about."""
    context = browser.new_context(base_url=world.suite.network.api_url)
    page = context.new_page()
    complaints = Complaints(page)
    sign_in(page, world)
    yield page
    context.close()
    assert complaints.messages == []

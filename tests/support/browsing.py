"""A real Chromium on the pages of a running world."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from flops_cli.local.suite import ADMIN

CHROMIUM = os.environ.get("FLOPS_CHROMIUM") or shutil.which("chromium") or ""
PATIENCE_MS = 30_000

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium without a window."""
    # Its sandbox does not work for root, as which containers run tests.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, world) -> None:
    """Sign in as the suite's Admin, and see the projects."""
    page.goto(f"{world.suite.network.api_url}/")
    page.get_by_label("User").fill(ADMIN)
    page.get_by_label("Password").fill(world.suite.secrets.root_password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with the page as it is."""
    problems = Axe().run(page).response["violations"]
    return [f"{item['id']}: {node['html'][:200]}" for item in problems for node in item["nodes"]]


class Complaints:
    """A page's faults: asking another host, raising an error, breaking its own policy."""

    def __init__(self, page: Page) -> None:
        self.messages: list[str] = []
        page.on("pageerror", lambda error: self.messages.append(f"error: {error}"))
        page.on("console", self._listen)
        page.on("request", self._look)
        self._page = page

    def _listen(self, message) -> None:
        if "Content Security Policy" in message.text:
            self.messages.append(message.text)

    def _look(self, request) -> None:
        page = urlsplit(self._page.url).netloc
        if page and urlsplit(request.url).netloc not in {page, ""}:
            self.messages.append(f"asked {request.url}")

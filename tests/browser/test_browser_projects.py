"""Projects as people see them: begun in a form, watched, asked, cancelled; and when they fail."""

import re

import pytest
from playwright.sync_api import expect

from support.browsing import violations
from support.suite import a_project_sla, a_repository

pytestmark = pytest.mark.browser
A_JOB_MS = 600_000


def start(page, repository: str) -> None:
    page.goto("/projects/new")
    page.get_by_label("Git repository").fill(repository)
    page.get_by_label("Data tags").fill("mnist")
    page.get_by_label("Learners", exact=True).fill("2")
    page.get_by_label("Build an image").check()
    page.get_by_label("Serve it").check()
    expect(page.get_by_text("All checks passed.")).to_be_visible()
    page.get_by_role("button", name="Start the project").click()
    expect(page.get_by_role("heading", name="digits", exact=False).first).to_be_visible()


def test_a_project_is_seen_from_start_to_served_model(page, repository):
    start(page, repository)
    expect(page.locator("#connection")).to_have_text("live")
    assert violations(page) == []

    expect(page.locator(".now .badge")).to_have_text("Completed", timeout=A_JOB_MS)

    expect(
        page.get_by_role("img", name=re.compile("Accuracy from .* after round 3"))
    ).to_be_visible()
    expect(page.locator(".lanes tbody tr")).to_have_count(2)
    expect(page.get_by_role("link", name="Open the run in MLflow")).to_be_visible()
    page.get_by_label("Send a sample").fill('{"inputs": [[' + ",".join(["0"] * 784) + "]]}")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("predictions")
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    page.get_by_role("link", name="Projects").first.click()
    expect(page.locator("#projects tbody tr").first).to_contain_text("3 / 3")


def test_a_failing_project_says_why_and_where_it_stopped(page, world, tmp_path):
    broken = a_repository(tmp_path / "broken", {"data_manager.py": None})
    project_id = world.client.submit_project(a_project_sla(broken))
    page.goto(f"/projects/{project_id}")

    expect(page.locator(".now .badge")).to_have_text("Failed", timeout=A_JOB_MS)

    expect(page.locator(".line .failed")).to_contain_text("Building actors")
    expect(page.locator(".notice.bad")).to_contain_text("No module named 'data_manager'")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    assert violations(page) == []


def test_a_project_is_cancelled_after_a_question_and_then_deleted(page, world, repository):
    project_id = world.client.submit_project(a_project_sla(repository))
    page.goto(f"/projects/{project_id}")

    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel it").click()

    expect(page.locator(".now .badge")).to_have_text("Cancelled")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    expect(page.get_by_text(project_id)).to_have_count(0)


def test_a_lost_connection_is_said_and_caught_up_with(page, world, repository):
    project_id = world.client.submit_project(a_project_sla(repository))
    page.goto(f"/projects/{project_id}")
    expect(page.locator("#connection")).to_have_text("live")

    page.context.set_offline(True)
    page.evaluate("document.querySelector('#connection').dispatchEvent(new Event('offline'))")
    world.client.cancel_project(project_id)
    expect(page.locator(".now .badge")).not_to_have_text("Cancelled")
    page.context.set_offline(False)

    expect(page.locator(".now .badge")).to_have_text("Cancelled")

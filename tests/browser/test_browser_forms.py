"""The forms, the login, and the pages for users of screen readers and keyboards."""

import contextlib

import pytest
from playwright.sync_api import Error, expect

from support.browsing import violations

pytestmark = pytest.mark.browser


def test_mistakes_are_shown_at_their_field_during_typing(page):
    page.goto("/projects/new")
    page.get_by_label("Rounds").fill("many")

    expect(page.locator("#error-training_configuration-training_rounds")).to_contain_text("integer")

    expect(page.get_by_label("Rounds")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Rounds").fill("5")
    expect(page.locator("#error-training_configuration-training_rounds")).to_be_empty()


def test_a_form_with_mistakes_comes_back_as_it_was(page):
    page.goto("/projects/new")
    page.get_by_label("Data tags").fill("mnist")
    page.get_by_role("button", name="Start the project").click()

    expect(page.get_by_role("alert")).to_contain_text("ml_repo_url")
    expect(page.get_by_label("Data tags")).to_have_value("mnist")


def test_a_click_counts_though_errors_arrive_while_the_button_is_pressed(page):
    checks = []
    page.goto("/projects/new")
    page.route("**/projects/check", lambda route: checks.append(route))  # noqa: PLW0108 - it wants a function
    with page.expect_request("**/projects/check"):
        page.get_by_label("Rounds").fill("many")
    page.get_by_role("button", name="Start the project").hover()

    page.mouse.down()
    for check in checks:
        with contextlib.suppress(Error):  # it was given up
            check.continue_()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)  # the errors, if any, are shown by now
    page.mouse.up()

    expect(page.get_by_role("alert")).to_contain_text("ml_repo_url")


def test_mock_data_are_asked_for_and_drawn(page):
    page.goto("/mocks/new")
    page.get_by_label("Dataset").fill("mnist")
    page.get_by_label("Source").fill("builtin:mnist5k")
    page.get_by_label("Data tag").fill("seen")
    page.get_by_role("button", name="Provide the data").click()

    expect(page.locator(".now .badge")).to_have_text("Completed", timeout=120_000)
    expect(page.get_by_role("img", name="Rows of each label")).to_be_visible()


def test_the_nodes_show_what_they_hold(page):
    page.goto("/nodes")

    expect(page.locator("article").first).to_contain_text("mnist")


def test_who_signs_out_has_to_sign_in_again(page):
    page.get_by_role("button", name="Sign out").click()
    page.goto("/projects")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_keyboard_is_enough_to_reach_the_content(page):
    page.goto("/projects")
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/projects", "/projects/new", "/mocks", "/mocks/new", "/nodes"])
def test_axe_finds_nothing(page, path, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    page.wait_for_load_state("networkidle")

    assert violations(page) == []


@pytest.mark.parametrize("path", ["/projects", "/projects/new", "/mocks/new", "/nodes"])
def test_nothing_is_wider_than_a_phone(page, path):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360

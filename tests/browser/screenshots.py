"""Take a picture of every page from a real run; `make screenshots` puts them into docs/pictures."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from support.browsing import chromium, sign_in
from support.suite import a_project_sla, a_repository, running_world
from support.waiting import until

BUILD_AND_SERVE = ["build_image_for_trained_model", "deploy_trained_model_image"]
TOPOLOGY = tuple(
    {
        "cluster": cluster,
        "nodes": [
            {"name": f"{cluster}-{number}", "vcpus": 4, "memory_mb": 8000} for number in (1, 2)
        ],
    }
    for cluster in ("east", "west")
)
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 800}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 800},
        "is_mobile": True,
    },
}


def take(page: Page, folder: Path, name: str, *, is_whole: bool = True) -> None:
    """Take a picture of the page, or of its first screen, once it is quiet, its logs folded up."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(1500)
    page.evaluate("document.querySelectorAll('details[open]').forEach(one => { one.open = false })")
    page.screenshot(path=folder / f"{name}.png", full_page=is_whole, animations="disabled")


def take_all(browser, world, folder: Path, ids: dict[str, str], look: str) -> None:
    """Take every page in one look."""
    context = browser.new_context(base_url=world.suite.network.api_url, **LOOKS[look])
    page = context.new_page()
    page.goto("/sign-in")
    take(page, folder, f"sign-in-{look}")
    sign_in(page, world)
    for name, path in (
        ("projects", "/projects"),
        ("project-served", f"/projects/{ids['served']}"),
        ("project-failed", f"/projects/{ids['failed']}"),
        ("project-hierarchical", f"/projects/{ids['hierarchical']}"),
        ("delete", f"/projects/{ids['failed']}/delete"),
        ("mocks", "/mocks"),
        ("mock", f"/mocks/{ids['mock']}"),
        ("nodes", "/nodes"),
    ):
        page.goto(path)
        take(page, folder, f"{name}-{look}")
    page.goto("/projects/new")
    page.get_by_label("Git repository").fill("https://git.example/ada/digits")
    page.get_by_label("Data tags").fill("mnist")
    page.get_by_label("Rounds").fill("many")
    page.get_by_label("Serve it").check()
    expect(page.get_by_text("Not a valid integer").first).to_be_visible()
    take(page, folder, f"new-project-{look}")
    page.goto("/mocks/new")
    take(page, folder, f"new-mock-{look}")
    context.close()


def main(folder: Path) -> None:
    """Run what is worth seeing, then look at it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        home = Path(state)
        with running_world(home / "world", TOPOLOGY) as world, chromium() as browser:
            world.provide("mnist", partitions=4, nodes=4)
            (home / "ada").mkdir()
            good = a_repository(home / "ada" / "digits")
            bad = a_repository(
                home / "ada" / "broken", {"data_manager.py": "raise ValueError('no data')\n"}
            )
            ids = {
                "mock": world.client.mocks()[0].id,
                "failed": world.client.submit_project(a_project_sla(bad)),
                "served": world.client.submit_project(
                    a_project_sla(good, post_training_steps=BUILD_AND_SERVE)
                ),
            }
            until(
                lambda: world.client.project(ids["served"]).stage == "training",
                180,
                "the training",
            )
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            sign_in(page, world)
            page.goto(f"{world.suite.network.api_url}/projects/{ids['served']}")
            take(page, folder, "project-running-light")
            hierarchical = {"mode": "hierarchical", "training_cycles": 4, "training_rounds": 2}
            ids["hierarchical"] = world.client.submit_project(
                a_project_sla(
                    good,
                    training_configuration={
                        **hierarchical,
                        "min_available_clients": 2,
                        "min_clusters": 2,
                    },
                )
            )
            until(
                lambda: len(world.client.project(ids["hierarchical"]).rounds) > 1,
                300,
                "two cycles",
            )
            page.set_viewport_size({"width": 1200, "height": 1200})
            page.goto(f"{world.suite.network.api_url}/projects/{ids['hierarchical']}")
            take(page, folder, "project-training-light", is_whole=False)
            world.finished(ids["failed"])
            until(
                lambda: world.client.project(ids["served"]).stage in {"serving", "failed"},
                240,
                "the served model",
            )
            world.finished(ids["hierarchical"])
            for look in LOOKS:
                take_all(browser, world, folder, ids, look)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

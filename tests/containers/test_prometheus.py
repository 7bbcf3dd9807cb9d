"""A real Prometheus, of the profile ``observability``, finds the suite and knows its rules."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from containers.bench.suite import ROOT, Suite
from support.waiting import until

RULES = ROOT / "compose" / "observability" / "rules.yml"
WITH = ("--profile", "observability")
SCRAPED_SECONDS = 90
"""Names are looked up, and targets asked, every 15 seconds."""


class Prometheus:
    """Its API."""

    def __init__(self, port: str) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, what: str, **query: str) -> Any:
        """Return the data of its answer, None while it starts."""
        try:
            answer = requests.get(f"{self._url}/{what}", params=query, timeout=10)
        except requests.ConnectionError:
            return None
        return answer.json()["data"] if answer.ok else None

    def up(self) -> set[str]:
        """Return the jobs whose targets it could ask last time."""
        targets = (self.ask("targets") or {"activeTargets": []})["activeTargets"]
        return {target["labels"]["job"] for target in targets if target["health"] == "up"}

    def value(self, query: str) -> list[str]:
        """Return the values of what an expression finds."""
        return [item["value"][1] for item in self.ask("query", query=query)["result"]]


@pytest.fixture(scope="module")
def prometheus(suite: Suite) -> Iterator[Prometheus]:
    try:
        suite.compose(*WITH, "up", "--detach", "--no-build", "--no-deps", "prometheus")
        yield Prometheus(suite.value("FLOPS_PROMETHEUS_PORT"))
    finally:
        suite.compose(*WITH, "rm", "--stop", "--force", "prometheus")


def test_it_finds_the_suite_by_name(prometheus: Prometheus) -> None:
    jobs = {"prometheus", "manager-api", "manager-worker", "local-oakestra"}

    until(lambda: prometheus.up() == jobs, SCRAPED_SECONDS, f"{jobs} are scraped")

    assert prometheus.value("sum(flops_manager_lease_held)") == ["1"]


def test_it_evaluates_every_rule(prometheus: Prometheus) -> None:
    written = re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))

    def rules() -> list[Any]:
        groups = (prometheus.ask("rules") or {"groups": []})["groups"]
        return [rule for group in groups for rule in group["rules"]]

    until(lambda: {rule["health"] for rule in rules()} == {"ok"}, SCRAPED_SECONDS, "all are ok")

    assert sorted(rule["name"] for rule in rules()) == sorted(written)

"""Prometheus' rules and Grafana's dashboard can be read, and speak of metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import promql_parser
import pytest
import yaml

from support.exposed import Documented, documented_metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "compose" / "observability"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "flops.json").read_text())
PANELS = DASHBOARD["panels"]
COMPOSE = yaml.safe_load((ROOT / "compose" / "management.yml").read_text())["services"]
PROFILE = {
    name: item for name, item in COMPOSE.items() if "observability" in item.get("profiles", ())
}

QUERIES = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in PANELS
        for target in panel.get("targets", ())
    },
}
METRICS = documented_metrics()
OF_PROMETHEUS = Documented("gauge", frozenset())
OF_TARGETS = {"job", "instance"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SERIES = {
    "up": OF_PROMETHEUS,
    **{f"{name}{end}": item for name, item in METRICS.items() for end in SUFFIXES[item.kind]},
}


def parts_of(query, kind):
    """Return the parts of a query that are of this kind."""
    expressions = []
    promql_parser.walk(promql_parser.parse(query), expressions.append)
    return [item for item in expressions if isinstance(item, kind)]


def selectors_of(query):
    return parts_of(query, promql_parser.VectorSelector)


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_promql_about_metrics_that_there_are(name):
    selected = {item.name for item in selectors_of(QUERIES[name])}

    assert selected
    assert selected - set(SERIES) == set()


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_asks_for_labels_that_the_metrics_have(name):
    unknown = {
        (item.name, matcher.name)
        for item in selectors_of(QUERIES[name])
        for matcher in item.matchers.matchers
        if matcher.name not in SERIES[item.name].labels | OF_TARGETS
    }

    assert unknown == set()


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_groups_by_labels_that_the_metrics_have(name):
    has = OF_TARGETS.union(*(SERIES[item.name].labels for item in selectors_of(QUERIES[name])))
    grouping_labels = {
        label
        for item in parts_of(QUERIES[name], promql_parser.AggregateExpr)
        if item.modifier is not None
        for label in item.modifier.labels
    }

    assert grouping_labels <= has | {"le"}


def test_every_alert_has_a_name_of_its_own():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_it_is_and_what_happened(rule):
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]


def test_every_alert_is_explained_and_no_other():
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")

    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [rule["alert"] for rule in RULES]


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool (Debian's prometheus)")
@pytest.mark.parametrize(
    "check",
    [
        ("check", "rules", FOLDER / "rules.yml"),
        ("check", "config", "--syntax-only", FOLDER / "prometheus.yml"),
        ("test", "rules", Path(__file__).parent / "alerts.yml"),
    ],
    ids=lambda check: f"{check[0]} {check[1]}",
)
def test_prometheus_own_tool_agrees(check):
    result = subprocess.run(
        ["promtool", *check], capture_output=True, text=True, check=False, timeout=120
    )

    assert result.returncode == 0, result.stdout + result.stderr


def test_panels_have_their_own_ids_and_places():
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in PANELS
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len(set(taken)) == len(taken)
    assert {x for x, _ in taken} == set(range(24))


def test_panels_ask_a_source_that_is_provisioned():
    sources = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/flops.yml").read_text())
    provisioned = {(datasource["type"], datasource["uid"]) for datasource in sources["datasources"]}
    used = {
        (item["datasource"]["type"], item["datasource"]["uid"])
        for panel in PANELS
        for item in (panel, *panel.get("targets", ()))
        if "datasource" in item
    }

    assert used <= provisioned


def test_what_is_scraped_runs_in_the_suite():
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    scraped = {
        name
        for job in config["scrape_configs"]
        for discovery in job.get("dns_sd_configs", ())
        for name in discovery["names"]
    }
    local = yaml.safe_load((ROOT / "compose" / "local.yml").read_text())["services"]

    assert scraped <= {*COMPOSE, *local}


def test_sources_are_services_of_the_profile():
    sources = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/flops.yml").read_text())

    assert {urlsplit(datasource["url"]).hostname for datasource in sources["datasources"]} <= set(
        PROFILE
    )


def test_files_that_are_mounted_are_there():
    mounted = [
        ROOT / "compose" / volume.partition(":")[0]
        for item in PROFILE.values()
        for volume in item.get("volumes", ())
        if volume.startswith("./")
    ]

    assert mounted
    assert [path for path in mounted if not path.exists()] == []


def test_no_password_is_written_down():
    grafana = PROFILE["grafana"]["environment"]

    assert grafana["GF_SECURITY_ADMIN_PASSWORD"] == "${FLOPS_GRAFANA_PASSWORD:-}"
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


@pytest.mark.parametrize("password", ["", None])
def test_grafana_does_not_start_without_a_password(password):
    environment = {} if password is None else {"GF_SECURITY_ADMIN_PASSWORD": password}

    started = subprocess.run(
        ["/bin/sh", FOLDER / "grafana" / "start.sh"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert started.returncode != 0
    assert "make env" in started.stderr

"""Every series, label and legend that the dashboards name is in the exporter's table or the rules file."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import ProcessCollector

from exporter.metrics.families import FAMILIES
from tests.expressions import selectors

Json = dict[str, Any]
Targets = Callable[[Json], list[tuple[str, Json, Json]]]
Expand = Callable[..., str]

PLACE = {"cluster", "namespace", "job"}
OF_THE_SCRAPE = {*PLACE, "instance"}


@pytest.fixture(scope="module")
def labels_of(root: Path) -> Mapping[str, set[str]]:
    """Return the labels of every series that a dashboard may name."""
    known = {family.name: {*family.labels, *OF_THE_SCRAPE} for family in FAMILIES}
    for metric in ProcessCollector(registry=None).collect():
        known |= {sample.name: OF_THE_SCRAPE for sample in metric.samples}
    known["scrape_duration_seconds"] = OF_THE_SCRAPE  # Prometheus' own word on each scrape
    known["up"] = OF_THE_SCRAPE
    known["alertmanager_notifications_failed_total"] = {*OF_THE_SCRAPE, "integration"}
    known["node_textfile_mtime_seconds"] = {*OF_THE_SCRAPE, "file"}
    of_account = {*PLACE, "provider", "account"}
    of_each = {
        "wallet": {*of_account, "wallet", "currency"},
        "account": of_account,
        "instance": OF_THE_SCRAPE,
    }
    further = {
        "prepaid_balance_threshold:last": {"level"},
        "prepaid_balance:threshold_ratio": {"level"},
        "prepaid_runway_seconds:threshold": {"level"},
        "prepaid_balance:above_threshold": {"level"},
        "prepaid_wallet_status:last": {"prepaid_wallet_status"},
        "prepaid_alert_state:last": {"prepaid_alert_state"},
        "prepaid_alert:condition": {"alert", "level"},
        "prepaid_account_failure:said": {"reason"},
        "prepaid_account_runway_threshold_seconds:last": {"level"},
    }
    rules = yaml.safe_load((root / "grafana/rules/recording.yml").read_text(encoding="utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        kind, series = rule["record"].split(":", 1)
        known[rule["record"]] = of_each[kind] | further.get(series, set())
    return known


def made(expr: str) -> set[str]:
    """Return the labels that an expression makes of others."""
    return {label for label in ("who", "what", "reason", "page", "short") if f'"{label}"' in expr}


def test_every_series_and_matcher_is_known(
    dashboard: Json, targets: Targets, expand: Expand, labels_of: Mapping[str, set[str]]
) -> None:
    for name, _, target in targets(dashboard):
        for selector in selectors(expand(target["expr"])):
            series = selector.name or ""
            assert series in labels_of, f"{name}: nothing gives {series}"
            matched = {matcher.name for matcher in selector.matchers.matchers}
            assert matched <= labels_of[series], f"{name}: {series} has not all of {matched}"


def test_every_label_that_is_grouped_or_joined_by_is_known(
    dashboard: Json, targets: Targets, expand: Expand, labels_of: Mapping[str, set[str]]
) -> None:
    for name, _, target in targets(dashboard):
        expr = expand(target["expr"])
        known = {label for selector in selectors(expr) for label in labels_of[selector.name or ""]} | made(
            expr
        )
        clauses = re.findall(r"\b(?:by|on|ignoring|without|group_left|group_right) \(([^)]*)\)", expr)
        named = {label for clause in clauses for label in clause.replace(" ", "").split(",") if label}
        assert named <= known, f"{name}: {named - known}"


def test_every_label_of_a_legend_is_known(
    dashboard: Json, targets: Targets, expand: Expand, labels_of: Mapping[str, set[str]]
) -> None:
    for name, _, target in targets(dashboard):
        expr = expand(target["expr"])
        known = {label for selector in selectors(expr) for label in labels_of[selector.name or ""]} | made(
            expr
        )
        shown = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        assert shown <= known, f"{name}: {shown - known}"


def test_every_variable_lists_a_label_of_a_known_family(
    dashboard: Json, expand: Expand, labels_of: Mapping[str, set[str]]
) -> None:
    for variable in (v for v in dashboard["templating"]["list"] if v["type"] == "query"):
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        assert match
        [selector] = selectors(expand(match[1]))
        matched = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        families = [selector.name] if selector.name else matched.pop("__name__").split("|")
        assert all(matched.keys() | {match[2]} <= labels_of[family] for family in families)


def test_exporters_can_be_chosen_whose_accounts_are_scraped_by_another_job(
    dashboards: dict[str, Json],
) -> None:
    listed = {v["name"]: v.get("query", "") for v in dashboards["prepaid-exporter"]["templating"]["list"]}
    for name in ("job", "instance"):
        assert "prepaid_account_up|prepaid_exporter_build_info" in listed[name]


def test_every_family_of_accounts_and_wallets_is_shown_somewhere(
    dashboards: dict[str, Json], targets: Targets, expand: Expand
) -> None:
    shown = {
        selector.name or ""
        for dashboard in dashboards.values()
        for _, _, target in targets(dashboard)
        for selector in selectors(expand(target["expr"]))
    }
    # Shown as the rules hold them: a failing account keeps its last threshold.
    held = {series.split(":")[1] for series in shown if series.endswith(":last")}
    assert {family.name for family in FAMILIES} - shown - held == set()

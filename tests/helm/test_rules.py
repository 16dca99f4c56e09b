"""The PrometheusRule and the dashboards: what is shipped, with the changes that the values ask for."""

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

from exporter import __version__

Rules = Callable[..., dict[str, dict[str, Any]]]
Render = Callable[..., list[dict[str, Any]]]
Kind = Callable[..., dict[str, Any]]


RUNBOOKS = f"/blob/v{__version__}/"
"""Where the runbooks of the chart's own version are; those on `main` explain the alerts that are there by now."""


NAMESPACE = "{{ with $labels.namespace }}{{ . }}{{ else }}monitoring{{ end }}"
"""What is added to every alert's labels: the operator hands an AlertmanagerConfig only alerts of its own namespace."""


def shipped_groups(root: Path) -> list[dict[str, Any]]:
    files = sorted((root / "grafana" / "rules").glob("*.yml"))
    texts = (file.read_text(encoding="utf-8") for file in files)
    groups = [group for text in texts for group in yaml.load(text, Loader=yaml.CSafeLoader)["groups"]]
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        rule["labels"] = {**rule["labels"], "namespace": NAMESPACE}
    return groups


@pytest.fixture
def groups(kind: Kind) -> Callable[..., list[dict[str, Any]]]:
    """Return the groups of the PrometheusRule for its values."""

    def rendered(**values: object) -> list[dict[str, Any]]:
        manifest = kind("PrometheusRule", {"prometheusRule": {"enabled": True, **values}})
        found: list[dict[str, Any]] = manifest["spec"]["groups"]
        return found

    return rendered


@pytest.fixture
def alerts(groups: Callable[..., list[dict[str, Any]]]) -> Rules:
    """Return the alerts by name for the values of the PrometheusRule."""
    return lambda **values: {
        rule["alert"]: rule for group in groups(**values) for rule in group["rules"] if "alert" in rule
    }


@pytest.fixture(scope="module")
def shipped(root: Path) -> dict[str, dict[str, Any]]:
    """Return the alerts as shipped, by name."""
    rules = [rule for group in shipped_groups(root) for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def test_without_changes_the_rules_are_those_shipped(root: Path, groups: Callable[..., Any]) -> None:
    rendered = {group["name"]: group for group in groups()}
    wanted = {group["name"]: group for group in shipped_groups(root)}
    assert len(wanted) >= 2
    assert rendered == wanted


@pytest.fixture(scope="module")
def linted(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    """Run promtool's check on rules, once for those that many values files share."""

    @cache
    def checked(promtool: str, rules: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path_factory.mktemp("rules") / "rules.yml"
        file.write_text(rules, encoding="utf-8")
        command = [promtool, "check", "rules", "--lint=all", "--lint-fatal", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return checked


def test_prometheus_takes_the_rules_of_every_values_file(
    each_age: Callable[[str], str], render: Render, ci_values: dict[str, Any], linted: Callable[..., Any]
) -> None:
    ruled = {**ci_values, "prometheusRule": {**ci_values.get("prometheusRule", {}), "enabled": True}}
    (rule,) = [m for m in render(ruled) if m["kind"] == "PrometheusRule"]
    result = linted(each_age("promtool"), json.dumps(rule["spec"]))
    assert result.returncode == 0, result.stderr
    count = sum(len(group["rules"]) for group in rule["spec"]["groups"])
    assert f"{count} rules found" in result.stdout


def test_an_alert_is_switched_off_by_its_name(alerts: Rules, shipped: dict[str, Any]) -> None:
    # Of any two alerts one is off where the other is on, and the other way round.
    for bit in range(len(shipped).bit_length()):
        for value in (0, 1):
            off = {name for number, name in enumerate(shipped) if number >> bit & 1 == value}
            assert set(alerts(alerts={name: {"enabled": False} for name in off})) == set(shipped) - off


@pytest.mark.parametrize("section", ["prometheusRule", "dashboards", "grafanaDashboard"])
def test_a_chart_without_its_files_says_so(chart_path: Path, tmp_path: Path, section: str) -> None:
    copy = shutil.copytree(chart_path, tmp_path / "prepaid-exporter", ignore=shutil.ignore_patterns("files"))
    with helm.Chart.load(copy) as chart, pytest.raises(helm.HelmError) as refusal:
        chart.render({section: {"enabled": True}})
    assert f"{section}.enabled: the chart's files are missing" in str(refusal.value)


def test_a_group_without_rules_is_left_out(groups: Callable[..., Any], root: Path) -> None:
    last = shipped_groups(root)[0]
    names = [rule["alert"] for rule in last["rules"] if "alert" in rule]
    assert names, "the first group is expected to hold alerts only"
    remaining = groups(alerts={name: {"enabled": False} for name in names})
    assert last["name"] not in [group["name"] for group in remaining]


def test_recording_rules_stay_when_alerts_go(groups: Callable[..., Any], shipped: dict[str, Any]) -> None:
    remaining = groups(alerts={name: {"enabled": False} for name in shipped})
    recorded = [rule["record"] for group in remaining for rule in group["rules"]]
    assert "wallet:prepaid_spend:step5m" in recorded


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ({"severity": "info"}, ("labels", "severity"), "info"),
        ({"for": "42m"}, ("for",), "42m"),
        ({"keep_firing_for": "42m"}, ("keep_firing_for",), "42m"),
        ({"for": "1d"}, ("for",), "1d"),
        ({"keep_firing_for": "1w2d"}, ("keep_firing_for",), "1w2d"),
        ({"for": "0"}, ("for",), "0"),
        ({"expr": "vector(1)"}, ("expr",), "vector(1)"),
        ({"labels": {"team": "growth"}}, ("labels", "team"), "growth"),
        ({"annotations": {"summary": "Low."}}, ("annotations", "summary"), "Low."),
    ],
)
def test_a_change_touches_nothing_but_itself(
    alerts: Rules, shipped: dict[str, Any], change: dict[str, Any], where: tuple[str, ...], expected: str
) -> None:
    name = "PrepaidRunwayCritical"
    changed = alerts(alerts={name: change})
    wanted = json.loads(json.dumps(shipped[name]))
    inner = wanted
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = expected
    assert changed.pop(name) == wanted
    assert changed == {other: rule for other, rule in shipped.items() if other != name}


def test_a_threshold_and_the_words_for_it_are_changed_together(alerts: Rules) -> None:
    changes = {"PrepaidReadingStale": {"replace": {"7200": "14400", "two hours": "four hours"}}}
    rule = alerts(alerts=changes)["PrepaidReadingStale"]
    assert "14400" in rule["expr"]
    assert "7200" not in rule["expr"]
    assert "four hours" in rule["annotations"]["summary"]


def test_a_text_that_is_not_there_is_not_replaced_in_silence(alerts: Rules) -> None:
    with pytest.raises(helm.HelmError) as refusal:
        alerts(alerts={"PrepaidRunwayCritical": {"replace": {"24 ours": "48 hours"}}})
    assert "prometheusRule.alerts.PrepaidRunwayCritical.replace" in str(refusal.value)
    assert "24 ours" in str(refusal.value)


def test_labels_for_all_alerts_never_change_a_severity(alerts: Rules, shipped: dict[str, Any]) -> None:
    labelled = alerts(alertLabels={"team": "growth"})
    assert {name: rule["labels"] for name, rule in labelled.items()} == {
        name: {**rule["labels"], "team": "growth"} for name, rule in shipped.items()
    }


def test_an_alert_has_the_namespace_of_its_series_else_that_of_the_release(
    each_age: Callable[[str], str], kind: Kind, tmp_path: Path
) -> None:
    manifest = kind("PrometheusRule", {"prometheusRule": {"enabled": True}})
    (rule,) = [
        rule
        for group in manifest["spec"]["groups"]
        for rule in group["rules"]
        if rule.get("alert") == "PrepaidExporterDown"
    ]
    alert = {**rule, "expr": "up == 0", "for": "0s", "annotations": {}}
    rules, tests = tmp_path / "rules.yml", tmp_path / "tests.yml"
    rules.write_text(json.dumps({"groups": [{"name": "one", "rules": [alert]}]}))
    own = {"severity": "critical", "job": "a"}
    world = {
        "input_series": [
            {"series": 'up{job="a",namespace="shop"}', "values": "0"},
            {"series": 'up{job="a"}', "values": "0"},
        ],
        "alert_rule_test": [
            {
                "eval_time": "0m",
                "alertname": "PrepaidExporterDown",
                "exp_alerts": [
                    {"exp_labels": {**own, "namespace": namespace}} for namespace in ("shop", "monitoring")
                ],
            }
        ],
    }
    tests.write_text(json.dumps({"rule_files": ["rules.yml"], "tests": [world]}))
    command = [each_age("promtool"), "test", "rules", str(tests)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_one_severity_for_all_alerts_is_refused(alerts: Rules) -> None:
    with pytest.raises(helm.HelmError, match=r"prometheusRule\.alertLabels\.severity: would page") as refusal:
        alerts(alertLabels={"severity": "page"})
    assert "prometheusRule.alerts.NAME.severity" in str(refusal.value)


def test_links_lead_to_the_user_s_own_grafana(alerts: Rules) -> None:
    addresses = {"grafanaUrl": "https://grafana.acme.test/sub", "exporterUrl": "https://prepaid.acme.test"}
    text = json.dumps(alerts(**addresses))
    assert "https://grafana.acme.test/sub/d/prepaid-account" in text
    assert "https://prepaid.acme.test/?account=" in text
    assert "example.com" not in text


def test_what_prometheus_fills_in_passes_unharmed(alerts: Rules, shipped: dict[str, Any]) -> None:
    texts = [text for rule in alerts().values() for text in rule["annotations"].values()]
    assert texts == [
        text for name in alerts() for text in dict(sorted(shipped[name]["annotations"].items())).values()
    ]
    assert any("{{ $labels.account }}" in text for text in texts)


def dashboard(file: Path) -> dict[str, Any]:
    """Return a shipped dashboard as the chart gives it, with the runbooks of its version."""
    text = file.read_text(encoding="utf-8")
    assert "overview" not in file.name or "/blob/main/" in text
    given: dict[str, Any] = json.loads(text.replace("/blob/main/", RUNBOOKS))
    return given


def test_every_dashboard_is_a_config_map_that_the_sidecar_finds(root: Path, render: Render) -> None:
    values = {"dashboards": {"enabled": True, "namespace": "grafana", "annotations": {"folder": "Prepaid"}}}
    maps = [m for m in render(values) if m["metadata"]["labels"].get("grafana_dashboard") == "1"]
    files = {file.name: file for file in (root / "grafana" / "dashboards").glob("*.json")}
    assert len(files) == 3
    assert {name for m in maps for name in m["data"]} == set(files)
    for manifest in maps:
        assert manifest["metadata"]["namespace"] == "grafana"
        assert manifest["metadata"]["annotations"] == {"folder": "Prepaid"}
        for name, text in manifest["data"].items():
            assert json.loads(text) == dashboard(files[name])


def test_every_dashboard_is_a_resource_of_the_grafana_operator(root: Path, render: Render) -> None:
    values = {"grafanaDashboard": {"enabled": True, "folder": "Money"}}
    boards = [manifest for manifest in render(values) if manifest["kind"] == "GrafanaDashboard"]
    files = [dashboard(file) for file in (root / "grafana" / "dashboards").glob("*.json")]
    shipped = {board["uid"]: board for board in files}
    assert {
        json.loads(board["spec"]["json"])["uid"]: json.loads(board["spec"]["json"]) for board in boards
    } == shipped
    for board in boards:
        assert board["apiVersion"] == "grafana.integreatly.org/v1beta1"
        assert board["spec"]["folder"] == "Money"
        assert board["spec"]["instanceSelector"] == {"matchLabels": {"dashboards": "grafana"}}

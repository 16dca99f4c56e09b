"""The rules: promtool's own tests, and that nothing of the rules is without a test, a text or a runbook."""

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from exporter.metrics.families import FAMILIES
from exporter.providers.mapping import WalletMapping
from tests.alerting import slices
from tests.alerting.slices import seconds
from tests.expressions import inside, selectors

HERE = Path(__file__).resolve().parent
RULES = HERE.parents[1] / "grafana" / "rules"
UNIT_TESTS = sorted((HERE / "rules").glob("*.test.yml"))
_VERSION = "v{{ (. | first).Labels.version }}{{ else }}main{{ end }}"
_BLOB = "https://github.com/prepaid-exporter/prepaid-exporter/blob/"
_WEEK = "max_over_time(timestamp(prepaid_exporter_build_info)[7d:30m])"
RUNBOOKS = (
    _BLOB + '{{ with query "topk(1, max by (version) (timestamp(prepaid_exporter_build_info) or '
    f'{_WEEK}))" }}}}{_VERSION}/docs/runbooks.md'
)
"""Where the runbooks of the newest version are."""
RUNBOOKS_HERE = (
    _BLOB + '{{ with query (printf "topk(1, max by (version) (timestamp(prepaid_exporter_build_info{%s}) or '
    "max_over_time(timestamp(prepaid_exporter_build_info{%s})[7d:30m])) or "
    f'max by (version) ({_WEEK}) / 2)" $place $place) }}}}{_VERSION}/docs/runbooks.md'
)
"""Where those of the newest version are in the place of an alert, else anywhere."""
OF_ACCOUNTS = ("cluster", "namespace", "job")
PLACES = dict.fromkeys(("PrepaidConfigReloadFailed", "PrepaidExporterDown"), (*OF_ACCOUNTS, "instance")) | (
    # They have no exporter's labels.
    dict.fromkeys(("PrepaidExporterAbsent", "PrepaidTextfileStale", "PrepaidPagesNotDelivered"), ())
)
"""By which labels the version is looked for, where it is not by those of an account."""
DASHBOARDS = "https://grafana.example.com/d/"
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}
FACTS = {"balance", "runway", "age", "topup_url", "now"}
LINKS = {"status_url", "debug_url"}
"""What an alert about an account has besides, on the exporter's status page."""
# Names that Prometheus itself gives.
OF_PROMETHEUS = {
    "up": {"job", "instance", "account", "provider"},
    "node_textfile_mtime_seconds": {"job", "instance", "file"},
    "alertmanager_notifications_failed_total": {"job", "instance", "integration"},
}


@cache
def read(path: Path) -> dict[str, Any]:
    """Read a YAML file once, with the fast loader: the unit tests are long, and asked about by many tests."""
    loaded: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return loaded


def rules(kind: str) -> list[dict[str, Any]]:
    """List the shipped rules of a kind, "alert" or "record"."""
    groups = [group for path in sorted(RULES.glob("*.yml")) for group in read(path)["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS = {rule["alert"]: rule for rule in rules("alert")}
RECORDED = {rule["record"]: rule for rule in rules("record")}
EXPRESSIONS = [(name, rule["expr"]) for name, rule in (*ALERTS.items(), *RECORDED.items())]


# What pages or makes a ticket and is neither a level nor a row of "Broken": where else a dashboard tells of it.
ELSEWHERE = {
    "PrepaidAutoRechargeOff": "a column of Act",
    "PrepaidAutoRechargeTooSmall": "Money and the spend a day",
    "PrepaidSpendUnusual": "the spend a day",
    "PrepaidProviderAlarm": "the level of the wallet, by thresholds of one's own",
    "PrepaidBalanceCached": "the account's dashboard",
    "PrepaidReadingStale": "Oldest reading",
}


def test_whoever_is_told_finds_it_on_the_overview(root: Path) -> None:
    overview = (root / "grafana/dashboards/prepaid-overview.json").read_text()
    broken = {name for name in ALERTS if f'runbooks.md#{name.lower()}\\"' in overview}
    levels = {name for name in ALERTS if re.match("Prepaid(BalanceBelow|Runway|WalletExhausted)", name)}
    told = {name for name, rule in ALERTS.items() if rule["labels"]["severity"] != "info"}
    assert told - levels - broken == set(ELSEWHERE)
    assert not broken & levels


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yml")), ids=lambda path: path.name)
def test_promtool_finds_nothing_to_complain_of(path: Path, each_age: Callable[[str], str]) -> None:
    command = [each_age("promtool"), "check", "rules", "--lint=all", "--lint-fatal", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SUCCESS" in result.stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], list[Path]]:
    """Write the unit tests of a file, once for both ages."""
    return cache(lambda path: slices.write(path, tmp_path_factory.mktemp("rules")))


@pytest.mark.long
@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name.removesuffix(".test.yml"))
def test_the_rules_do_what_their_unit_tests_say(
    path: Path, each_age: Callable[[str], str], written: Callable[[Path], list[Path]]
) -> None:
    command = [each_age("promtool"), "test", "rules", *map(str, written(path))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_field_that_the_rules_hold_is_one_that_the_exporter_can_miss() -> None:
    of_fields = [
        rule
        for rule in rules("record")
        if rule["record"] in {"wallet:prepaid_wallet:given", "wallet:prepaid_wallet_field:lost"}
    ]
    held = {name for rule in of_fields for name in re.findall(r'"field",\s*"(\w+)', rule["expr"])}
    held |= {rule["labels"]["field"].split(".")[0] for rule in of_fields if "labels" in rule}
    assert {"thresholds", "status", "auto_recharge_threshold", "auto_recharge_enabled"} <= held
    assert held <= WalletMapping.model_fields.keys()


def verdicts(name: str) -> list[list[tuple[int, bool]]]:
    """Give, for each world that asks for an alert, when it is asked and whether it fires."""
    found = []
    for path in UNIT_TESTS:
        for world in read(path)["tests"]:
            asked = [
                (seconds(case["eval_time"]), bool(case.get("exp_alerts")))
                for case in world.get("alert_rule_test", [])
                if case["alertname"] == name
            ]
            if asked:
                found.append(sorted(asked))
    return found


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_shown_to_fire_to_wait_to_stay_silent_and_to_resolve(name: str) -> None:
    worlds = verdicts(name)
    firing = [[fires for _, fires in world] for world in worlds]
    assert any(True in world for world in firing), "no unit test in which it fires"
    assert any(world[0] is False and True in world for world in firing), "no unit test in which it waits"
    assert any(True not in world for world in firing), "no unit test in which it stays silent throughout"
    assert any(True in world and False in world[world.index(True) :] for world in firing), (
        "no unit test in which it resolves"
    )


def test_the_runway_to_a_threshold_is_computed_as_that_to_the_end() -> None:
    to_end = RECORDED["wallet:prepaid_runway_seconds:until"]["expr"]
    expected = to_end.replace("prepaid_balance:above", "prepaid_balance:above_threshold").replace(
        "(to)", "(level)"
    )
    assert RECORDED["wallet:prepaid_runway_seconds:threshold"]["expr"] == expected


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_series_is_shown_with_its_value_and_shown_missing(name: str) -> None:
    cases = [
        case
        for path in UNIT_TESTS
        for world in read(path)["tests"]
        for case in world.get("promql_expr_test", [])
        if name in {selector.name for selector in selectors(case["expr"])}
    ]
    assert any(case.get("exp_samples") for case in cases), "no unit test of its value"
    assert any(not case.get("exp_samples") for case in cases), "no unit test in which it is missing"


def test_nothing_in_an_expression_is_passed_over() -> None:
    for rule in (*rules("record"), *rules("alert")):
        seen: list[promql.Expr] = []
        promql.walk(promql.parse(rule["expr"]), pre_visit=seen.append)
        assert [type(node) for node in inside(rule["expr"])] == [type(node) for node in seen], rule


def test_no_unit_test_asks_for_an_alert_that_does_not_exist() -> None:
    asked = {
        case["alertname"]
        for path in UNIT_TESTS
        for world in read(path)["tests"]
        for case in world.get("alert_rule_test", [])
    }
    assert asked == set(ALERTS)


def fired_alerts(name: str) -> list[dict[str, Any]]:
    """Return the alerts of a name that the unit tests see fire, with their labels and annotations."""
    return [
        alert
        for path in UNIT_TESTS
        for world in read(path)["tests"]
        for case in world.get("alert_rule_test", [])
        if case["alertname"] == name
        for alert in case.get("exp_alerts", [])
    ]


def runbooks(name: str) -> str:
    """Return the text of an alert that makes the address of its runbooks."""
    place = PLACES.get(name, OF_ACCOUNTS)
    if not place:
        return RUNBOOKS
    matchers = ",".join(f"{label}=%q" for label in place)
    return f'{{{{ $place := printf "{matchers}" {" ".join(f"$labels.{label}" for label in place)} -}}}} {RUNBOOKS_HERE}'


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_what_a_person_needs(name: str) -> None:
    rule = ALERTS[name]
    annotations = rule["annotations"]
    assert re.fullmatch(r"Prepaid([A-Z][a-z]+)+", name)
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert annotations.keys() >= ANNOTATIONS
    assert re.fullmatch(r"[A-Z][^{}]+\.", annotations["summary"]), "a full sentence without a template"
    assert annotations["runbook_url"] == f"{runbooks(name)}#{name.lower()}"
    assert annotations["dashboard_url"].startswith(DASHBOARDS)
    if "$labels.account" in annotations["description"]:
        assert "$labels.provider" in annotations["description"]
    else:
        assert "ccount" not in rule["expr"] or name == "PrepaidExporterAbsent"
    about_a_wallet = "$labels.wallet" in annotations["description"]
    assert (annotations.keys() >= LINKS) == ("$labels.account" in annotations["description"])
    facts = annotations.keys() - ANNOTATIONS - LINKS
    assert facts == FACTS if about_a_wallet else facts <= {"topup_url", "now"}
    assert about_a_wallet == any("wallet" in alert["exp_labels"] for alert in fired_alerts(name))


@pytest.mark.parametrize("name", ALERTS)
def test_the_description_of_a_wallet_names_account_provider_balance_and_runway(name: str) -> None:
    description = ALERTS[name]["annotations"]["description"]
    told = [alert for alert in fired_alerts(name) if "wallet" in alert["exp_labels"]]
    lasts = name != "PrepaidWalletExhausted"  # nothing is left that could last
    for alert in told:
        labels, texts = alert["exp_labels"], alert["exp_annotations"]
        place = f"Account {labels['account']} at {labels['provider']}, wallet {labels['wallet']}"
        assert texts["description"].startswith(place)
        assert texts["balance"] in texts["description"]
        assert not lasts or texts["runway"] in texts["description"]
    assert not told or lasts == ("wallet:prepaid_runway_seconds:limit{%s}" in description)


@pytest.mark.parametrize("name", ALERTS)
def test_the_dashboard_link_leads_to_a_shipped_dashboard_and_its_own_variables(name: str, root: Path) -> None:
    uid, _, query = ALERTS[name]["annotations"]["dashboard_url"].removeprefix(DASHBOARDS).partition("?")
    dashboard = read(root / "grafana" / "dashboards" / f"{uid}.json")
    assert dashboard["uid"] == uid
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert set(re.findall(r"var-(\w+)=", query)) <= variables


def test_every_alert_has_its_section_in_the_runbooks_and_no_section_is_left_over(root: Path) -> None:
    sections = re.split(r"^## ", (root / "docs" / "runbooks.md").read_text(), flags=re.MULTILINE)[1:]
    assert sorted(section.splitlines()[0] for section in sections) == sorted(ALERTS)
    for section in sections:
        for part in ("**Meaning.**", "**Look at.**", "**Do.**", "**Noise when**"):
            assert section.count(part) == 1, section


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_rules_read_only_what_the_exporter_gives_or_a_rule_records(name: str, expression: str) -> None:
    families = {family.name: set(family.labels) | {"job", "instance"} for family in FAMILIES}
    used = selectors(expression)
    assert used, name
    for selector in used:
        series = selector.name or ""
        assert series in families or series in RECORDED or series in OF_PROMETHEUS, f"nobody gives {series}"
        labels = families.get(series) or OF_PROMETHEUS.get(series)
        for matcher in selector.matchers.matchers:
            assert labels is None or matcher.name in labels, f"{series} has no label {matcher.name}"


@pytest.mark.parametrize("name", ALERTS)
def test_texts_look_up_only_what_the_exporter_gives_or_a_rule_records(name: str) -> None:
    known = {family.name for family in FAMILIES} | set(RECORDED)
    for text in ALERTS[name]["annotations"].values():
        looked_up = re.findall(r"\b((?:\w+:)?prepaid_\w+(?::\w+)?)(?:\{|\) or )", text)
        assert len(looked_up) >= len(re.findall(r"\bquery \(?printf|\bquery \"topk", text)) - text.count(
            "__name__"
        )
        assert set(looked_up) <= known


def test_a_recording_rule_is_evaluated_after_the_ones_that_it_reads() -> None:
    before: set[str] = set()
    for name, rule in RECORDED.items():
        read = {selector.name for selector in selectors(rule["expr"])} & set(RECORDED)
        assert read <= before | {name}, f"{name} reads {read - before}"
        before.add(name)


GROUPS = read(RULES / "recording.yml")["groups"]


def test_what_is_read_as_it_is_now_is_recorded_more_often_than_a_sample_counts() -> None:
    intervals = {group["name"]: seconds(group["interval"]) for group in GROUPS}
    seldom = {name for name, interval in intervals.items() if interval not in (60, 240)}
    assert seldom == {"prepaid-steps"} | {name for name in intervals if name.endswith("-every-30m")}


def test_steps_of_five_minutes_are_added_up_at_five_minutes_however_often_they_are_recorded() -> None:
    steps = re.compile(
        r"(?:sum|count)_over_time\((?:wallet:prepaid_\w+:step5m|\(wallet:prepaid_\w+:step5m > 0\))\[(\w+:?\w*)\]"
    )
    windows = [window for _, expression in EXPRESSIONS for window in steps.findall(expression)]
    assert windows
    assert all(window.endswith(":5m") for window in windows)


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yml")), ids=lambda path: path.name)
def test_no_group_is_larger_than_mimir_allows(path: Path) -> None:
    groups = read(path)["groups"]
    assert {group["name"]: len(group["rules"]) for group in groups if len(group["rules"]) > 20} == {}


def test_only_the_first_group_of_recordings_reads_what_is_scraped() -> None:
    # The groups are evaluated side by side: what is scraped meanwhile would not fit what the group before recorded.
    for group in GROUPS[1:]:
        for rule in group["rules"]:
            read = {selector.name for selector in selectors(rule["expr"])}
            assert read <= RECORDED.keys(), rule["record"]


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_no_window_that_counts_ends_on_a_sample(name: str, expression: str) -> None:
    # Prometheus 2 counts a sample on the window's far edge, Prometheus 3 does not.
    for function, window, shift in re.findall(
        r"\b(\w+)_over_time\((?:[^()]|\([^()]*\))*?\[([\ddhms]+)(?::\w+)?\]( offset 1ms)?", expression
    ):
        assert function == "last" or seconds(window) % 60 == 30 or shift or "23h45m" in window, (name, window)


def test_no_alert_about_an_account_names_the_exporter_instance() -> None:
    fired = [alert["exp_labels"] for name in ALERTS for alert in fired_alerts(name)]
    about_accounts = [labels for labels in fired if "account" in labels]
    assert about_accounts
    assert all(labels.keys() >= {"severity", "job", "provider"} for labels in about_accounts)
    assert not any("instance" in labels for labels in about_accounts)


def test_the_documentation_lists_every_alert_with_its_severity(root: Path) -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(runbooks\.md#(\w+)\) \| (\w+) \|",
        (root / "docs" / "alerting.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(name, name.lower(), rule["labels"]["severity"]) for name, rule in ALERTS.items()]

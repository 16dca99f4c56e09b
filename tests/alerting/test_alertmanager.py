"""The Alertmanager example: who is told, what is kept quiet meanwhile, and how a message reads."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).resolve().parents[2] / "grafana"
EXAMPLE = HERE / "alertmanager" / "alertmanager.yml"
TEMPLATE = HERE / "alertmanager" / "prepaid.tmpl"
CONFIGURATION = yaml.safe_load(EXAMPLE.read_text())
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((HERE / "rules" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


@pytest.fixture
def amtool(each_age: Callable[[str], str]) -> Callable[..., str]:
    """Run amtool; return what it printed."""

    def call(*arguments: str) -> str:
        command = [each_age("amtool"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return call


def test_amtool_accepts_the_example(amtool: Callable[..., str]) -> None:
    printed = amtool("check-config", str(EXAMPLE))
    assert "SUCCESS" in printed
    assert f"{len(CONFIGURATION['inhibit_rules'])} inhibit rules" in printed
    assert "1 templates" in printed


@pytest.mark.parametrize("provider", ["flexprice", "apimall"])
@pytest.mark.parametrize("name", ALERTS)
def test_severity_and_provider_decide_who_is_told(
    name: str, provider: str, amtool: Callable[..., str]
) -> None:
    severity = ALERTS[name]["labels"]["severity"]
    page = "page-billing" if provider == "flexprice" else "page"
    labels = [f"alertname={name}", f"severity={severity}", f"provider={provider}", "account=x"]
    told = amtool("config", "routes", "test", f"--config.file={EXAMPLE}", *labels).strip()
    assert told == {"critical": page, "warning": "ticket", "info": "log"}[severity]


def test_an_alert_of_another_kind_pages_nobody_here(amtool: Callable[..., str]) -> None:
    labels = ["alertname=DiskFull", "severity=critical"]
    assert amtool("config", "routes", "test", f"--config.file={EXAMPLE}", *labels).strip() == "ticket"


def test_an_exporter_is_one_page_in_however_many_jobs_it_is_scraped(amtool: Callable[..., str]) -> None:
    labels = ["alertname=PrepaidExporterDown", "severity=critical", "instance=e:10710", "job=prepaid"]
    printed = amtool("config", "routes", "test", f"--config.file={EXAMPLE}", "--tree", *labels)
    assert "PrepaidExporter" in printed
    assert printed.rstrip().endswith("page")
    pages = CONFIGURATION["route"]["routes"][0]["routes"][0]["routes"]
    [grouped] = [r["group_by"] for r in pages if "PrepaidExporter" in r["matchers"][0]]
    assert grouped == ["alertname", "cluster", "namespace", "instance"]


def inhibited(source: str, target: str) -> list[str] | None:
    """Return the labels in which two alerts must agree for the first to hold back the second."""

    def matches(matchers: list[str], name: str) -> bool:
        [(operator, pattern)] = re.findall(r'alertname(=~?)"(.*)"', matchers[0])
        return bool(re.fullmatch(pattern if operator == "=~" else re.escape(pattern), name))

    for rule in CONFIGURATION["inhibit_rules"]:
        if matches(rule["source_matchers"], source) and matches(rule["target_matchers"], target):
            return list(rule.get("equal", []))
    return None


WALLET = ["cluster", "namespace", "job", "provider", "account", "wallet", "currency"]
ACCOUNT = ["cluster", "namespace", "job", "provider", "account"]
HELD_BACK = {
    ("PrepaidWalletExhausted", "PrepaidBalanceBelowCritical"): WALLET,
    ("PrepaidWalletExhausted", "PrepaidBalanceBelowWarning"): WALLET,
    ("PrepaidWalletExhausted", "PrepaidBalanceBelowInfo"): WALLET,
    ("PrepaidWalletExhausted", "PrepaidRunwayCritical"): WALLET,
    ("PrepaidWalletExhausted", "PrepaidRunwayShort"): WALLET,
    ("PrepaidBalanceBelowCritical", "PrepaidBalanceBelowWarning"): WALLET,
    ("PrepaidBalanceBelowCritical", "PrepaidBalanceBelowInfo"): WALLET,
    ("PrepaidBalanceBelowCritical", "PrepaidRunwayCritical"): WALLET,
    ("PrepaidBalanceBelowCritical", "PrepaidRunwayShort"): WALLET,
    ("PrepaidBalanceBelowWarning", "PrepaidBalanceBelowInfo"): WALLET,
    ("PrepaidRunwayCritical", "PrepaidRunwayShort"): WALLET,
    ("PrepaidAccountExhausted", "PrepaidBalanceBelowCritical"): ACCOUNT,
    ("PrepaidAccountExhausted", "PrepaidBalanceBelowWarning"): ACCOUNT,
    ("PrepaidAccountExhausted", "PrepaidBalanceBelowInfo"): ACCOUNT,
    ("PrepaidAccountExhausted", "PrepaidRunwayCritical"): ACCOUNT,
    ("PrepaidAccountExhausted", "PrepaidRunwayShort"): ACCOUNT,
    ("PrepaidAccountExhausted", "PrepaidAccountFailing"): ACCOUNT,
    ("PrepaidAccountExhausted", "PrepaidReadingStale"): ACCOUNT,
    ("PrepaidCredentialsRejected", "PrepaidAccountFailing"): ACCOUNT,
    ("PrepaidCredentialsRejected", "PrepaidReadingStale"): ACCOUNT,
    ("PrepaidAccountFailing", "PrepaidReadingStale"): ACCOUNT,
}


def test_only_a_message_that_says_more_about_the_same_thing_holds_another_back() -> None:
    pairs = {
        (source, target): labels
        for source in ALERTS
        for target in ALERTS
        if source != target and (labels := inhibited(source, target)) is not None
    }
    assert pairs == HELD_BACK


def test_nothing_is_held_back_by_an_alert_of_lower_severity() -> None:
    order = ["info", "warning", "critical"]
    for source, target in HELD_BACK:
        severities = [ALERTS[name]["labels"]["severity"] for name in (source, target)]
        assert order.index(severities[0]) >= order.index(severities[1]), (source, target)


PLACES = ("namespace", "cluster", "replica", "field")


def alert(status: str = "firing", **changes: str) -> dict[str, Any]:
    """Make an alert as a template sees it; a keyword that is a label changes it, others are annotations."""
    labels = {
        **dict.fromkeys(PLACES, ""),
        "alertname": "PrepaidBalanceBelowCritical",
        "severity": "critical",
        "job": "prepaid-exporter",
        "provider": "apimall",
        "account": "mall",
        "wallet": "main",
        "currency": "CREDITS",
    }
    annotations = {
        "summary": "A prepaid balance is below its critical threshold.",
        "description": "Account mall at apimall, wallet main: 20.00 CREDITS left.",
        "balance": "20.00 CREDITS",
        "runway": "3h 20m",
        "age": "40s",
        "topup_url": "https://pay.example.com/mall",
        "runbook_url": "https://runbooks.example.com/#a",
        "dashboard_url": "https://grafana.example.com/d/a",
        "status_url": "https://prepaid-exporter.example.com/?account=mall",
        "debug_url": "https://prepaid-exporter.example.com/probe?target=mall&debug=true",
    }
    for name, value in changes.items():
        (labels if name in labels else annotations)[name] = value
    return {
        "status": status,
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": "2026-01-02T03:04:05Z",
        "endsAt": "2026-01-02T04:04:05Z",
    }


@pytest.fixture
def rendered(amtool: Callable[..., str], tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Render title and text of the message about some alerts, as Alertmanager groups them."""

    def render(*alerts: dict[str, Any]) -> tuple[str, str]:
        common = dict(set.intersection(*(set(each["labels"].items()) for each in alerts)))
        firing = any(each["status"] == "firing" for each in alerts)
        data = {
            "receiver": "page",
            "status": "firing" if firing else "resolved",
            "alerts": alerts,
            "groupLabels": {},
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
        }
        (tmp_path / "data.json").write_text(json.dumps(data))
        options = [f"--template.glob={TEMPLATE}", f"--template.data={tmp_path / 'data.json'}"]
        title, text = (
            amtool("template", "render", *options, f'--template.text={{{{ template "prepaid.{part}" . }}}}')
            for part in ("title", "text")
        )
        return title.rstrip("\n"), text.strip()

    return render


def test_a_page_says_at_a_glance_whose_wallet_what_is_left_how_long_and_where_to_pay(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    title, text = rendered(alert())
    assert title == "PAGE: mall (apimall), 20.00 CREDITS left, enough for 3h 20m"
    assert text.splitlines() == [
        "A prepaid balance is below its critical threshold.",
        "Left: 20.00 CREDITS in wallet main (read 40s ago)",
        "Lasts: 3h 20m",
        "Top up: https://pay.example.com/mall",
        "",
        "Account mall at apimall, wallet main: 20.00 CREDITS left.",
        "Runbook: https://runbooks.example.com/#a",
        "Dashboard: https://grafana.example.com/d/a",
        "Status: https://prepaid-exporter.example.com/?account=mall",
        "Debug: https://prepaid-exporter.example.com/probe?target=mall&debug=true",
    ]


def test_a_page_that_is_not_about_the_balance_says_first_what_is_the_matter(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    title, text = rendered(alert(alertname="PrepaidWalletNotActive"))
    assert title == "PAGE: mall (apimall): PrepaidWalletNotActive, 20.00 CREDITS left, enough for 3h 20m"
    assert "Top up: https://pay.example.com/mall" in text


def test_an_account_that_is_refused_since_nothing_is_left_says_where_to_pay(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    changes = dict.fromkeys(
        ("wallet", "currency", "balance", "runway", "age", "dashboard_url", "debug_url"), ""
    )
    title, text = rendered(
        alert(
            alertname="PrepaidAccountExhausted",
            summary="Nothing is left.",
            description="Account mall.",
            **changes,
        )
    )
    assert title == "PAGE: mall (apimall): PrepaidAccountExhausted"
    assert text.splitlines() == [
        "Nothing is left.",
        "Top up: https://pay.example.com/mall",
        "",
        "Account mall.",
        "Runbook: https://runbooks.example.com/#a",
        "Status: https://prepaid-exporter.example.com/?account=mall",
    ]


def test_what_is_not_known_is_said_or_left_out(rendered: Callable[..., tuple[str, str]]) -> None:
    links = dict.fromkeys(("topup_url", "runbook_url", "dashboard_url", "status_url", "debug_url"), "")
    title, text = rendered(alert(runway="", age="", **links))
    assert title == "PAGE: mall (apimall), 20.00 CREDITS left"
    assert "Left: 20.00 CREDITS in wallet main\n" in text
    assert "Lasts: not known (no spend, or too little history)" in text
    assert [line for line in text.splitlines() if line.endswith(":") or "://" in line] == []


def test_several_alerts_of_an_account_are_counted_and_each_is_told(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    other = alert(wallet="second", alertname="PrepaidRunwayCritical", balance="7.00 CREDITS")
    title, text = rendered(alert(), other)
    assert title == "PAGE: mall (apimall): 2 alerts"
    assert "20.00 CREDITS in wallet main" in text
    assert "7.00 CREDITS in wallet second" in text


def test_a_ticket_about_many_accounts_names_their_provider(rendered: Callable[..., tuple[str, str]]) -> None:
    failing = {"alertname": "PrepaidAccountFailing", "severity": "warning", "balance": "", "wallet": ""}
    title, text = rendered(alert(**failing), alert(**failing, account="other"))
    assert title == "accounts at apimall: 2 alerts"
    assert "Left:" not in text


def test_an_exporter_that_is_down_is_named(rendered: Callable[..., tuple[str, str]]) -> None:
    down = alert(alertname="PrepaidExporterDown", provider="", account="", wallet="", currency="", balance="")
    down["labels"]["instance"] = "exporter:10710"
    title, _ = rendered(down)
    assert title == "PAGE: prepaid exporter exporter:10710: PrepaidExporterDown"


def test_what_two_servers_of_a_pair_send_is_one_wallet_with_its_balance(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    title, text = rendered(alert(replica="a"), alert(replica="b", balance="19.00 CREDITS"))
    assert title == "PAGE: mall (apimall), 20.00 CREDITS left, enough for 3h 20m"
    assert text.count("A prepaid balance is below its critical threshold.") == 1
    assert text.count("Left:") == 1
    assert "more" not in text


def test_alerts_of_one_wallet_share_its_facts(rendered: Callable[..., tuple[str, str]]) -> None:
    frozen = alert(alertname="PrepaidWalletNotActive", summary="It is frozen.", runbook_url="https://r/#b")
    title, text = rendered(alert(), frozen)
    assert title == "PAGE: mall (apimall): 2 alerts, 20.00 CREDITS left, enough for 3h 20m"
    assert text.count("Left: 20.00 CREDITS in wallet main") == 1
    assert text.count("Top up:") == 1
    assert text.index("A prepaid balance is below") < text.index("It is frozen.")
    assert "Runbook: https://r/#b" in text


def test_the_fields_that_a_wallet_lost_are_told_one_by_one(rendered: Callable[..., tuple[str, str]]) -> None:
    lost = [
        alert(
            alertname="PrepaidWalletFieldMissing", severity="warning", field=name, description=f"No {name}."
        )
        for name in ("status", "thresholds")
    ]
    _, text = rendered(*lost)
    assert "No status." in text
    assert "No thresholds." in text


def test_a_message_of_a_hundred_alerts_tells_ten_and_counts_the_others(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    _, text = rendered(*(alert(account=f"mall-{number}") for number in range(100)))
    assert text.count("A prepaid balance is below its critical threshold.") == 10
    assert text.endswith("and 90 more")
    _, text = rendered(*(alert(account=f"mall-{number % 50}", replica=str(number)) for number in range(100)))
    assert text.count("A prepaid balance is below its critical threshold.") == 10
    assert text.endswith("and 80 more")
    title, text = rendered(*(alert("resolved", account=f"mall-{number}") for number in range(100)))
    assert title == "Resolved: accounts at apimall"
    assert text.count("No longer so: ") == 10
    assert text.endswith("and 90 more")
    _, text = rendered(*(alert(account=f"mall-{number}") for number in range(10)))
    assert text.count("A prepaid balance is below its critical threshold.") == 10
    assert "more" not in text


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"namespace": "shop"}, "mall (apimall, shop)"),
        ({"cluster": "eu-1"}, "mall (apimall, eu-1)"),
        ({"namespace": "shop", "cluster": "eu-1"}, "mall (apimall, eu-1/shop)"),
    ],
)
def test_an_account_of_two_places_is_told_with_its_own(
    rendered: Callable[..., tuple[str, str]], place: dict[str, str], told: str
) -> None:
    title, _ = rendered(alert(**place))
    assert title == f"PAGE: {told}, 20.00 CREDITS left, enough for 3h 20m"
    _, text = rendered(alert(**place), alert(**dict.fromkeys(place, "other"), balance="7.00 CREDITS"))
    assert "Left: 20.00 CREDITS" in text
    assert "Left: 7.00 CREDITS" in text


def test_a_resolved_message_says_what_ended_and_shows_no_old_balance(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    title, text = rendered(alert("resolved"))
    assert title == "Resolved: mall (apimall)"
    assert "No longer so: A prepaid balance is below its critical threshold." in text
    assert "Wallet: main (CREDITS)" in text
    assert "Began: 2026-01-02 03:04 UTC" in text
    assert "20.00" not in text


def test_the_end_of_an_alert_says_what_is_so_now(rendered: Callable[..., tuple[str, str]]) -> None:
    title, text = rendered(alert("resolved", now="1200.00 CREDITS now"))
    assert title == "Resolved: mall (apimall), 1200.00 CREDITS now"
    assert text.splitlines()[:2] == [
        "No longer so: A prepaid balance is below its critical threshold.",
        "Now: 1200.00 CREDITS",
    ]
    both = (alert("resolved", now="1.00 CREDITS now"), alert("resolved", wallet="b", now="2.00 CREDITS now"))
    assert rendered(*both)[0] == "Resolved: mall (apimall)"


def test_a_wallet_that_is_no_longer_watched_is_not_called_well(
    rendered: Callable[..., tuple[str, str]],
) -> None:
    title, text = rendered(alert("resolved", now="no longer watched, last read -7.50 EUR"))
    assert title == "Ended: mall (apimall), no longer watched, last read -7.50 EUR"
    assert text.splitlines()[:2] == [
        "It was: A prepaid balance is below its critical threshold.",
        "Now: no longer watched, last read -7.50 EUR",
    ]
    assert "No longer so" not in text


def test_a_message_tells_what_goes_on_beside_what_ended(rendered: Callable[..., tuple[str, str]]) -> None:
    title, text = rendered(alert(), alert("resolved", wallet="second"))
    assert title == "PAGE: mall (apimall), 20.00 CREDITS left, enough for 3h 20m"
    assert text.index("Left: 20.00 CREDITS in wallet main") < text.index("Wallet: second (CREDITS)")

"""The page itself: a wallet runs low, and a person is told once, in words that they understand at night.

Real Prometheus and Alertmanager with the shipped rules and example, sixty times as fast: a second stands for a minute.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from exporter import __version__
from exporter.simulator import Simulator
from tests.history import backfill, openmetrics
from tests.programs import alertmanager, exporter, fetch, prometheus, until

LOW = Decimal(990)
ACCOUNT = "outreach"
PROVIDER = "coldmailreseller"
OF_THE_EXPORTER = "prepaid-exporter-alerts"
"""Alerts that stay as slow as they are shipped: an exporter that hesitates for seconds is not dead for minutes."""


class Night:
    """A simulated wallet and everything between it and the person on call."""

    def __init__(self, simulator: Simulator, alerts: str, server: str, received: Any, exporter: str) -> None:
        self.exporter = exporter
        self.wallet = simulator.wallet(PROVIDER)
        self.provider = SimpleNamespace(
            dies=lambda: simulator.kill(PROVIDER), returns=lambda: simulator.revive(PROVIDER)
        )
        self._alerts = alerts
        self._server = server
        self._received = received

    def pages(self) -> list[dict[str, Any]]:
        """Return every page so far, of whatever team."""
        return [*self._received.at("/page-url"), *self._received.at("/page-billing-url")]

    def tickets(self) -> str:
        """Return the titles and texts of every ticket so far."""
        return "\n".join(message(ticket) for ticket in self._received.at("/ticket-url"))

    def firing(self, name: str) -> list[dict[str, Any]]:
        """Ask Alertmanager for the active alerts of a name on the account."""
        filters = [f'alertname="{name}"', f'account="{ACCOUNT}"']
        url = f"{self._alerts}/api/v2/alerts"
        return list(fetch(url, params={"filter": filters, "active": "true"}).json())

    def runway(self) -> list[dict[str, Any]]:
        """Ask Prometheus how long the balance lasts: nothing until it has seen an hour, which is a minute here."""
        query = f'wallet:prepaid_runway_seconds:zero{{account="{ACCOUNT}"}}'
        answer = fetch(f"{self._server}/api/v1/query", params={"query": query}).json()
        return list(answer["data"]["result"])


def message(posted: dict[str, Any]) -> str:
    """Return a message as the chat shows it."""
    [attachment] = posted["attachments"]
    return f"{attachment['title']}\n\n{attachment['text']}"


def accounts(simulator: Simulator) -> str:
    """Configure the simulated accounts, but for the one that owes money from the start."""
    configuration = yaml.safe_load(simulator.configuration())
    configuration["accounts"] = [
        account for account in configuration["accounts"] if account["name"] != "globex"
    ]
    # A day and three, in a night that is sixty times as fast.
    configuration.setdefault("defaults", {})["runway"] = {"critical": "24m", "warning": "72m"}
    for account in configuration["accounts"]:
        account["topup_url"] = f"https://pay.example.com/{account['name']}"
    return yaml.safe_dump(configuration)


def unhurried(shipped: str, faster: Callable[[str], str]) -> str:
    """Make rules faster, but for those about the exporter itself."""
    groups = zip(
        *(yaml.safe_load(text)["groups"] for text in (shipped, faster(shipped))),
        strict=True,
    )
    chosen = [slow if slow["name"] == OF_THE_EXPORTER else fast for slow, fast in groups]
    return yaml.safe_dump({"groups": chosen})


def routed(shipped: str, faster: Callable[[str], str]) -> str:
    """Make the routing faster, but for the repetition of a message: this night is too short for one."""
    lines = shipped.splitlines(keepends=True)
    return "".join(line if "repeat_interval:" in line else faster(line) for line in lines)


@pytest.fixture
def night(
    run: SimpleNamespace, root: Path, rule_files: list[Path], tmp_path: Path, each_age: Callable[[str], str]
) -> Iterator[Night]:
    shipped = root / "grafana"
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        simulator.wallet(PROVIDER).recharge = None
        simulator.wallet(PROVIDER).balance = LOW + 30
        received = stack.enter_context(run.receiver())
        for name in ("page-url", "page-billing-url", "ticket-url"):
            (tmp_path / name).write_text(f"{received.url}/{name}")
        (tmp_path / "prepaid.tmpl").write_text((shipped / "alertmanager" / "prepaid.tmpl").read_text())
        routing = routed((shipped / "alertmanager" / "alertmanager.yml").read_text(), run.faster)
        alerts = stack.enter_context(
            alertmanager(
                each_age("prometheus-alertmanager"),
                tmp_path,
                routing.replace("/etc/alertmanager/secrets", str(tmp_path)),
            )
        )
        target = stack.enter_context(exporter(tmp_path, accounts(simulator))).removeprefix("http://")
        server = tmp_path / "server"
        (server / "rules").mkdir(parents=True)
        for rules in rule_files:
            (server / "rules" / rules.name).write_text(unhurried(rules.read_text(), run.faster))
        text = run.faster((shipped / "prometheus" / "single.yml").read_text())
        text = text.replace("alertmanager:9093", alerts.removeprefix("http://"))
        text = text.replace("prepaid-exporter:10710", target)
        scraping = yaml.safe_load(text)
        run.patient(scraping)
        groups = yaml.safe_load(run.faster((shipped / "rules/recording.yml").read_text()))["groups"]
        recording = [rule for group in groups for rule in group["rules"]]
        past(each_age, server, f"http://{target}", recording)
        url = stack.enter_context(prometheus(each_age("prometheus"), server, yaml.safe_dump(scraping)))
        yield Night(simulator, alerts, url, received, f"http://{target}")


def richer(by: float, found: re.Match[str]) -> str:
    return f"{found[1]} {float(found[2]) + by}"


def past(tool: Callable[[str], str], server: Path, exporter: str, recording: list[dict[str, Any]]) -> None:
    """Give a server the hour before, in which a unit was spent in twenty seconds: a pace takes an hour of readings.

    What sums up the steps of an hour is left to the server itself.
    """
    scrape = {"job": "prepaid-exporter", "instance": exporter.removeprefix("http://")}
    page = fetch(f"{exporter}/metrics").text + "up 1\n"
    mine = re.compile(rf'^(prepaid_balance\{{.*account="{ACCOUNT}".*\}}) (\S+)$', re.MULTILINE)
    now = int(time.time())
    readings = server / "readings.om"
    with readings.open("w") as lines:
        for moment in range(now - 80, now + 1):
            spent = (now - moment) / 20
            then = mine.sub(partial(richer, spent), page)
            lines.writelines(openmetrics(then, moment, scrape))
        lines.write("# EOF\n")
    wanted = {"wallet:prepaid_balance:min", "wallet:prepaid_balance:drop5m", "wallet:prepaid_spend:step5m"}
    rules = [rule for rule in recording if rule["record"] in wanted]
    backfill(tool, server, readings, rules, (now - 75, now), "1s")


def spending(night: Night) -> Callable[[], object]:
    """Spend a unit in twenty seconds, never so much that somebody is told; says whether a pace is known."""
    began, full = time.monotonic(), night.wallet.balance

    def check() -> object:
        spent = Decimal(int(time.monotonic() - began)) / 20
        night.wallet.balance = max(full - spent, LOW + 10)
        return night.runway()

    return check


def alike(text: str) -> str:
    """Leave out what differs from run to run: times, and how long the balance lasts to the minute."""
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME", text)
    # A reading that comes while the rules are late is younger than their moment: -1s.
    return re.sub(r"-?\b(\d+(\.\d+)?[dhms]+ ?)+\b", "DURATION ", text)


@pytest.mark.long
def test_a_draining_wallet_pages_once_resolves_when_topped_up_and_stays_when_the_provider_dies(
    night: Night, root: Path
) -> None:
    until(spending(night), "pace")
    assert not night.pages()
    night.wallet.balance = LOW
    until(night.pages, "page")
    [page] = night.pages()
    night.wallet.top_up(5000)
    until(lambda: len(night.pages()) > 1, "resolved message")
    first, resolved = night.pages()
    assert first == page
    assert not night.firing("PrepaidBalanceBelowCritical")

    night.wallet.balance = LOW
    until(lambda: len(night.pages()) > 2, "second page")
    night.provider.dies()
    until(
        lambda: night.firing("PrepaidAccountFailing") and "PrepaidAccountFailing" in night.tickets(),
        "ticket that the account fails",
    )
    assert night.firing("PrepaidBalanceBelowCritical"), "the page must stay while nobody knows better"
    assert [posted["attachments"][0]["color"] for posted in night.pages()] == ["danger", "good", "danger"]

    assert page["channel"] == "#on-call"
    assert f"{ACCOUNT} ({PROVIDER})" in message(page)
    assert "990.00 INR left" in message(page)
    assert f"Top up: https://pay.example.com/{ACCOUNT}" in message(page)
    assert re.search(r"^Lasts: \d", message(page), re.MULTILINE)
    assert message(resolved).startswith(f"Resolved: {ACCOUNT} ({PROVIDER}), 5,990.00 INR now\n")
    links = dict(re.findall(r"^(Status|Debug|Runbook): (\S+)$", message(page), re.MULTILINE))
    status, debug = (
        fetch(links[name].replace("https://prepaid-exporter.example.com", night.exporter)).text
        for name in ("Status", "Debug")
    )
    [row] = re.findall(r"<tr>\n<td>.*?</tr>", status, re.DOTALL)
    assert f"<td>{ACCOUNT}<" in row
    assert f'href="https://pay.example.com/{ACCOUNT}"' in row
    assert f'href="probe?target={ACCOUNT}&amp;debug=true"' in row
    assert re.match(rf"account +{ACCOUNT}\n", debug)
    assert f"/blob/v{__version__}/docs/runbooks.md#" in links["Runbook"]
    document(root / "docs" / "alerting.md", page=message(page), resolved=message(resolved))


def document(path: Path, **received: str) -> None:
    """Compare the messages with those of the page in the documentation, or write them there when told to."""
    text = path.read_text()
    for name, content in received.items():
        block = re.compile(rf"(<!-- BEGIN RECEIVED {name} -->\n```text\n)(.*?)(```\n)", re.DOTALL)
        found = block.search(text)
        assert found, f"{path} has no block for {name}"
        fresh = "\n".join(line.rstrip() for line in content.strip().splitlines()) + "\n"
        if os.environ.get("PREPAID_WRITE_DOCS"):
            text = text[: found.start(2)] + fresh + text[found.end(2) :]
        else:
            assert alike(found[2]) == alike(fresh), (
                "run this test with PREPAID_WRITE_DOCS=1 to write the docs"
            )
    if os.environ.get("PREPAID_WRITE_DOCS"):
        path.write_text(text)

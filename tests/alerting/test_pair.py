"""A pair of Prometheus servers and a cluster of Alertmanagers: whichever fails, a page comes, and it comes once."""

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from exporter.simulator import Simulator
from tests.programs import alertmanager, exporter, fetch, prometheus, until

PROVIDER = "coldmailreseller"
ACCOUNT = "outreach"
LOW = Decimal(990)
PAGE = "/page-url"


def free_port() -> int:
    """Find a port for what does not say which one it took."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Pair:
    """Both servers, both Alertmanagers, and the chat."""

    wallet: Any
    servers: list[str]
    alertmanagers: list[str]
    received: Any

    def alerts(self, url: str) -> list[dict[str, Any]]:
        """Return what an Alertmanager knows of the account's balance."""
        filters = ['alertname="PrepaidBalanceBelowCritical"', f'account="{ACCOUNT}"']
        return list(fetch(f"{url}/api/v2/alerts", params={"filter": filters}).json())

    def pages(self) -> list[str]:
        """Return the title of every page about the account so far."""
        titles = [message["attachments"][0]["title"] for message in self.received.at(PAGE)]
        return [title for title in titles if ACCOUNT in title]


def of(url: str, name: str) -> float:
    """Return the sum of a family that a program tells of itself."""
    page = fetch(f"{url}/metrics").text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE))


def one_account(simulator: Simulator) -> str:
    """Configure one account of the simulator."""
    configuration = yaml.safe_load(simulator.configuration())
    configuration["accounts"] = [each for each in configuration["accounts"] if each["name"] == ACCOUNT]
    return yaml.safe_dump(configuration)


@pytest.fixture
def pair(
    run: SimpleNamespace, root: Path, rule_files: list[Path], tmp_path: Path, each_age: Callable[[str], str]
) -> Iterator[Pair]:
    shipped = root / "grafana"
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        wallet = simulator.wallet(PROVIDER)
        wallet.recharge, wallet.balance = None, LOW
        received = stack.enter_context(run.receiver())
        for name in ("page-url", "page-billing-url", "ticket-url"):
            (tmp_path / name).write_text(f"{received.url}/{name}")
        routing = run.faster((shipped / "alertmanager/alertmanager.yml").read_text())
        routing = re.sub(r"repeat_interval: .*", "repeat_interval: 4h", routing)
        # Twice the time that one waits for the other, whose message would be sent at the same moment else.
        routing = re.sub(r"group_interval: .*", "group_interval: 8s", routing)
        routing = routing.replace("/etc/alertmanager/secrets", str(tmp_path))
        gossip = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        alertmanagers = []
        for own, other in (gossip, reversed(gossip)):
            folder = tmp_path / f"alertmanager-{own[-5:]}"
            folder.mkdir()
            (folder / "prepaid.tmpl").write_text((shipped / "alertmanager/prepaid.tmpl").read_text())
            flags = [f"--cluster.listen-address={own}", f"--cluster.peer={other}"]
            flags += ["--cluster.gossip-interval=50ms", "--cluster.peer-timeout=4s"]
            running = alertmanager(each_age("prometheus-alertmanager"), folder, routing, *flags)
            alertmanagers.append(stack.enter_context(running))
        until(
            lambda: all(of(url, "alertmanager_cluster_members") == 2 for url in alertmanagers), "the cluster"
        )
        target = stack.enter_context(exporter(tmp_path, one_account(simulator))).removeprefix("http://")
        scraping = yaml.safe_load(run.faster((shipped / "prometheus/single.yml").read_text()))
        del scraping["scrape_configs"][1:]
        scraping["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
        addresses = [url.removeprefix("http://") for url in alertmanagers]
        scraping["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": addresses}]}]
        run.patient(scraping)
        servers = []
        for replica in ("a", "b"):
            scraping["global"]["external_labels"] = {"replica": replica, "cluster": "eu-1"}
            server = tmp_path / f"prometheus-{replica}"
            (server / "rules").mkdir(parents=True)
            for rules in rule_files:
                (server / "rules" / rules.name).write_text(run.faster(rules.read_text()))
            running = prometheus(each_age("prometheus"), server, yaml.safe_dump(scraping))
            servers.append(stack.enter_context(running))
        yield Pair(wallet, servers, alertmanagers, received)


def test_a_pair_of_servers_and_a_cluster_of_alertmanagers_page_once(pair: Pair) -> None:
    for url in pair.servers:
        until(partial(of, url, "prometheus_notifications_sent_total"), f"alert of {url}")
    until(pair.pages, "page")
    for url in pair.alertmanagers:
        until(partial(of, url, "alertmanager_nflog_queries_total"), f"decision of {url}")
        [alert] = pair.alerts(url)
        assert alert["labels"]["cluster"] == "eu-1"
        assert "replica" not in alert["labels"]
    pair.wallet.top_up(5000)
    until(lambda: pair.pages()[1:], "resolved message")
    pages = pair.pages()
    assert len(pages) == 2, pages
    page, resolved = pages
    assert page.startswith(f"PAGE: {ACCOUNT} ({PROVIDER}, eu-1), 990.00 INR left")
    assert resolved.startswith(f"Resolved: {ACCOUNT} ({PROVIDER}, eu-1)")

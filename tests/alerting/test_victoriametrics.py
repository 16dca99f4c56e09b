"""The rules under VictoriaMetrics and vmalert: they load, they page, and a page stays when nobody can read balances."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from exporter.simulator import Simulator
from tests.programs import exporter, fetch, running, until

MINUTE = 2
"""Seconds that stand for a minute."""
DELAY = 1
"""Seconds by which rules look back: half a minute, as vmalert does by itself. Nearer to now, a scrape is half there."""
LISTENS = r"started server at http://(\S+)/"
OWED = ("globex", "wallet_03")
PAGES = {
    ("PrepaidBalanceBelowCritical", "outreach", "main"),
    ("PrepaidBalanceBelowCritical", *OWED),
    ("PrepaidWalletExhausted", *OWED),
}


@dataclass
class Watch:
    """What vmalert says of the wallets, and the way to end the exporter."""

    alerts: str
    stop_exporter: Callable[[], None]

    def firing(self) -> set[tuple[str, str, str]]:
        """Return name, account and wallet of every page that fires."""
        told = fetch(f"{self.alerts}/api/v1/alerts").json()["data"]["alerts"]
        return {
            (
                alert["labels"]["alertname"],
                alert["labels"].get("account", ""),
                alert["labels"].get("wallet", ""),
            )
            for alert in told
            if alert["state"] == "firing" and alert["labels"]["severity"] == "critical"
        }

    def rules(self) -> list[dict[str, Any]]:
        """Return what vmalert says of each rule."""
        groups = fetch(f"{self.alerts}/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def evaluated(self) -> str:
        """Return when the alert on critical balances was last evaluated."""
        [moment] = [
            rule["lastEvaluation"] for rule in self.rules() if rule["name"] == "PrepaidBalanceBelowCritical"
        ]
        return str(moment)


@contextlib.contextmanager
def shown(store: str) -> Iterator[None]:
    """Let VictoriaMetrics show what is written to it at once, not after a second or two, which are a minute here."""
    ended = threading.Event()

    def flush() -> None:
        while not ended.wait(MINUTE / 10):
            fetch(f"http://{store}/internal/force_flush")

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def watch(
    run: SimpleNamespace, root: Path, rule_files: list[Path], tmp_path: Path, today: Callable[[str], str]
) -> Iterator[Watch]:
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        wallet = simulator.wallet("coldmailreseller")
        wallet.recharge, wallet.balance = None, 990
        ended = stack.enter_context(contextlib.ExitStack())
        target = ended.enter_context(exporter(tmp_path, simulator.configuration())).removeprefix("http://")
        scraping: dict[str, Any] = yaml.safe_load((root / "grafana/prometheus/single.yml").read_text())
        del scraping["scrape_configs"][1:]
        scraping["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
        scraping["scrape_configs"][0]["scrape_timeout"] = f"{MINUTE}s"
        scraping["global"] = {"scrape_interval": f"{MINUTE}s"}
        del scraping["rule_files"], scraping["alerting"]
        (tmp_path / "scraping.yml").write_text(yaml.safe_dump(scraping))
        server = [today("victoria-metrics"), "-promscrape.config=scraping.yml", "-storageDataPath=data"]
        server += ["-httpListenAddr=127.0.0.1:0", "-search.latencyOffset=0s", "-loggerFormat=default"]
        store = stack.enter_context(running(server, tmp_path / "victoria-metrics.log", LISTENS))
        for rules in rule_files:
            (tmp_path / rules.name).write_text(run.faster(rules.read_text(), 60 // MINUTE))
        command = [today("vmalert"), *(f"-rule={rules.name}" for rules in rule_files)]
        command += [f"-{name}.url=http://{store}" for name in ("datasource", "remoteWrite", "remoteRead")]
        command += ["-notifier.blackhole", "-httpListenAddr=127.0.0.1:0", f"-rule.evalDelay={DELAY}s"]
        command += ["-remoteWrite.flushInterval=100ms", f"-datasource.queryStep={5 * MINUTE}s"]
        alerts = stack.enter_context(running(command, tmp_path / "vmalert.log", LISTENS))
        stack.enter_context(shown(store))
        yield Watch(f"http://{alerts}", ended.close)


def test_pages_come_and_stay_while_the_exporter_is_gone(watch: Watch) -> None:
    until(lambda: watch.firing() >= PAGES, "pages", pause=0.5)
    assert watch.firing() == PAGES
    watch.stop_exporter()
    seen, moments = [], set()

    def for_twelve_minutes() -> bool:
        seen.append(watch.firing())
        moments.add(watch.evaluated())
        told = any(name == "PrepaidExporterDown" for name, _, _ in seen[-1])
        return len(moments) > 12 and told

    until(for_twelve_minutes, "twelve evaluations, and a page that the exporter is down", pause=0.5)
    assert [firing for firing in seen if not firing >= PAGES] == []
    assert [f"{rule['name']}: {rule['lastError']}" for rule in watch.rules() if rule["lastError"]] == []

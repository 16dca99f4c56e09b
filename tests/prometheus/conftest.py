"""The installed wheel between simulated providers and a real Prometheus that is configured as our examples say."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from exporter.simulator import PROVIDERS, Simulator
from tests import programs
from tests.packages import succeed
from tests.programs import PATIENCE, until

Series = frozenset[tuple[str, str]]

INTERVAL = "8s"
OFFSET = "4s"
"""How long before Prometheus gives up the exporter answers: long enough for a machine that has other things to do."""


def agreed(read: Callable[[], object], expected: object) -> None:
    """Read until it gives what is expected: a scrape may be under way, or have been lost, when it is read first."""
    end = time.monotonic() + PATIENCE
    while (found := read()) != expected and time.monotonic() < end:
        time.sleep(0.1)
    assert found == expected


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """Run the four providers in a world that stands still: the documented numbers."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def exporters(
    installed: Path, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Run an exporter with its accounts on /metrics, and one without; yield their addresses."""
    folder = tmp_path_factory.mktemp("exporters")
    offset = f"--scrape.timeout-offset={OFFSET}"
    flags: dict[str, list[str]] = {"whole": [], "bare": ["--no-metrics.accounts"]}
    with contextlib.ExitStack() as stack:
        running = {}
        for name, more in flags.items():
            (folder / name).mkdir()
            start = programs.exporter(
                folder / name, simulator.configuration(), offset, *more, program=installed
            )
            running[name] = stack.enter_context(start).removeprefix("http://")
        yield running
    for log in folder.glob("*/*.log"):
        said = log.read_text()
        assert "Traceback" not in said
        assert not [provider for provider, key in simulator.keys.items() if key in said]


def scrape_configs(root: Path, example: str, prefix: str, address: str) -> list[dict[str, Any]]:
    """Take an example's scrape configurations of exporters, in a hurry and at another address."""
    text = (root / f"grafana/prometheus/{example}.yml").read_text()
    configs: list[dict[str, Any]] = yaml.safe_load(text.replace("prepaid-exporter:10710", address))[
        "scrape_configs"
    ][:-1]  # the last one is of Alertmanager
    for config in configs:
        config["job_name"] = f"{prefix}/{config['job_name']}"
        config["scrape_timeout"] = INTERVAL
        for discovery in config.get("http_sd_configs", []):
            discovery["refresh_interval"] = "1s"
    return configs


def configuration(root: Path, exporters: dict[str, str]) -> dict[str, Any]:
    """Put every example into one configuration; the sharded one twice, as two servers would have it."""
    configs = scrape_configs(root, "single", "single", exporters["whole"])
    configs += scrape_configs(root, "discovery", "discovery", exporters["bare"])
    for shard in ("0", "1"):
        for config in scrape_configs(root, "sharded", f"shard-{shard}", exporters["bare"]):
            for rule in config.get("relabel_configs", []):
                if rule["action"] == "keep":
                    rule["regex"] = shard
            configs.append(config)
    return {"global": {"scrape_interval": INTERVAL}, "scrape_configs": configs}


class Prometheus:
    """A running Prometheus, by its query API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def _found(self, query: str) -> list[tuple[dict[str, str], float]]:
        url = f"{self.url}/api/v1/query"
        answer = self._session.get(url, params={"query": query}, timeout=PATIENCE).json()
        assert answer["status"] == "success", answer
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def ask(self, query: str, job: str = ".*") -> dict[Series, float]:
        """Return what a query gives now of some jobs, without the labels that the place of the scrape adds."""
        found = {}
        for labels, value in self._found(query):
            if not re.fullmatch(job, labels.get("job", "")):
                continue
            own = frozenset(item for item in labels.items() if item[0] not in ("job", "instance"))
            assert own not in found, f"{labels} is there twice"
            found[own] = value
        return found

    def values(self, query: str, label: str = "account") -> dict[str, float]:
        """Return what a query gives now by the value of one label, which must tell the series apart."""
        found = [(labels.get(label, ""), value) for labels, value in self._found(query)]
        assert len(dict(found)) == len(found), f"{label} does not tell the series apart"
        return dict(found)

    def reasons(self, job: str) -> dict[str, str]:
        """Return each account that is down with its reason."""
        found = [dict(labels) for labels in self.ask("prepaid_account_failure == 1", job)]
        assert len({labels["account"] for labels in found}) == len(found), "an account has two reasons"
        return {labels["account"]: labels["reason"] for labels in found}

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module")
def server(
    root: Path,
    exporters: dict[str, str],
    tool: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    """Run Prometheus with the examples; they must pass promtool first."""
    folder = tmp_path_factory.mktemp("prometheus")
    text = yaml.safe_dump(configuration(root, exporters))
    (folder / "prometheus.yml").write_text(text)
    succeed([tool("promtool"), "check", "config", folder / "prometheus.yml"])
    with programs.prometheus(tool("prometheus"), folder, text) as url:
        server = Prometheus(url)
        yield server
        server.close()


@pytest.fixture
def agree() -> Callable[[Callable[[], object], object], None]:
    return agreed


@pytest.fixture
def prometheus(server: Prometheus, simulator: Simulator) -> Iterator[Prometheus]:
    """Yield Prometheus when everything is up everywhere, and bring the providers back afterwards."""
    by_job = 'sum by (job) (label_replace(prepaid_account_up, "job", "shards", "job", "shard-.*"))'
    everything = dict.fromkeys(("single/prepaid-exporter", "discovery/prepaid-accounts", "shards"), 6.0)
    until(lambda: server.values(by_job, "job") == everything, "six accounts up in every way of scraping")
    yield server
    for provider in PROVIDERS:
        simulator.heal(provider)
        simulator.revive(provider)

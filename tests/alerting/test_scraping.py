"""The scrape examples, run for real: accounts found by /sd, read from /probe, shared by two servers."""

import contextlib
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import yaml

from exporter.simulator import PROVIDERS, Simulator

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "grafana" / "prometheus").glob("*.yml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_promtool_accepts_the_scrape_example(
    example: Path, rule_files: list[Path], tool: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    for rules in rule_files:
        (tmp_path / "rules" / rules.name).symlink_to(rules)
    (tmp_path / example.name).write_text(example.read_text())

    command = [
        tool("promtool"),
        "check",
        "config",
        "--lint=all",
        "--lint-fatal",
        str(tmp_path / example.name),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rule_files)} rule files found" in result.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_job_is_one_that_the_alerts_watch(example: Path) -> None:
    jobs = [job["job_name"] for job in yaml.safe_load(example.read_text())["scrape_configs"]]
    assert jobs
    assert all("prepaid" in job for job in jobs)


class World:
    """The simulator, the exporter on it, and the names of its accounts."""

    def __init__(self, simulator: Simulator, address: str) -> None:
        self.simulator = simulator
        self.address = address
        self.accounts = sorted(
            account["name"] for account in yaml.safe_load(simulator.configuration())["accounts"]
        )

    def requests(self) -> int:
        """Count what the providers were asked so far."""
        return sum(self.simulator.requests(provider) for provider in PROVIDERS)


@pytest.fixture
def world(run: SimpleNamespace, tmp_path: Path) -> Iterator[World]:
    with (
        Simulator() as simulator,
        run.exporter(tmp_path, simulator.configuration(), "--no-metrics.accounts") as address,
    ):
        yield World(simulator, address)


def adapted(run: SimpleNamespace, root: Path, name: str, address: str) -> str:
    """Give a shipped example with shorter intervals and the addresses of this test, without alerts."""
    text = run.faster((root / "grafana" / "prometheus" / name).read_text())
    configuration = yaml.safe_load(text.replace("prepaid-exporter:10710", address))
    del configuration["alerting"], configuration["rule_files"]
    return yaml.safe_dump(configuration)


def ask(url: str, query: str) -> list[dict[str, Any]]:
    """Query a Prometheus server."""
    answer = requests.get(f"{url}/api/v1/query", params={"query": query}, timeout=5).json()
    assert answer["status"] == "success", answer
    return list(answer["data"]["result"])


def scrapes(*servers: str) -> Counter[str]:
    """Count the finished scrapes of each account, over all servers."""
    counts: Counter[str] = Counter()
    for server in servers:
        for series in ask(server, 'count_over_time(up{job="prepaid-accounts"}[10m])'):
            counts[series["metric"]["account"]] += int(series["value"][1])
    return counts


def test_one_server_finds_every_account_by_discovery_and_reads_it_under_its_own_labels(
    world: World, run: SimpleNamespace, root: Path, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    configuration = adapted(run, root, "discovery.yml", world.address)
    with run.prometheus(tool("prometheus"), tmp_path / "server", configuration) as server:
        run.poll("reading of every account", lambda: sorted(scrapes(server)) == world.accounts, 60)
        run.poll(
            "balance of every account",
            lambda: len(ask(server, "count by (account) (prepaid_balance)")) == len(world.accounts),
            30,
        )
        up = ask(server, "prepaid_account_up")

        assert sorted(series["metric"]["account"] for series in up) == world.accounts
        assert all(series["value"][1] == "1" for series in up)
        assert not ask(server, '{exported_account!=""}')
        assert ask(server, 'prepaid_exporter_build_info{job="prepaid-exporter"}')
        assert not ask(server, 'prepaid_account_up{job="prepaid-exporter"}')


def test_two_servers_share_the_accounts_and_each_account_is_asked_once_per_round(
    world: World, run: SimpleNamespace, root: Path, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    configuration = adapted(run, root, "sharded.yml", world.address)
    other = configuration.replace("regex: '0'", "regex: '1'")
    assert other != configuration
    rounds = 5

    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(run.prometheus(tool("prometheus"), tmp_path / f"server-{number}", text))
            for number, text in enumerate((configuration, other))
        ]

        def enough() -> bool:
            counts = scrapes(*servers)
            return sorted(counts) == world.accounts and min(counts.values()) >= rounds

        run.poll(f"{rounds} readings of every account", enough, 60)
        finished = scrapes(*servers).total()
        asked = world.requests()
        begun = scrapes(*servers).total() + len(world.accounts)
        shares = [set(scrapes(server)) for server in servers]

    assert finished <= asked <= begun
    assert all(shares), f"a server has no account at all: {shares}"
    assert not shares[0] & shares[1]
    assert sorted(shares[0] | shares[1]) == world.accounts

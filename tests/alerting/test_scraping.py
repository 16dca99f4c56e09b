"""The scrape examples, run for real: accounts found by /sd, read from /probe, shared by two servers."""

import contextlib
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from exporter.simulator import PROVIDERS, Simulator
from tests.programs import exporter, fetch, prometheus, until

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "grafana" / "prometheus").glob("*.yml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_promtool_accepts_the_scrape_example(
    example: Path, rule_files: list[Path], each_age: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    for rules in rule_files:
        (tmp_path / "rules" / rules.name).symlink_to(rules)
    (tmp_path / example.name).write_text(example.read_text())

    command = [
        each_age("promtool"),
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
def test_the_exporter_and_what_delivers_its_alerts_are_scraped(example: Path) -> None:
    configuration = yaml.safe_load(example.read_text())
    scraped = [
        static["targets"]
        for job in configuration["scrape_configs"]
        for static in job.get("static_configs", [])
    ]
    alerted = [
        static["targets"] for static in configuration["alerting"]["alertmanagers"][0]["static_configs"]
    ]
    assert scraped == [["prepaid-exporter:10710"], *alerted]


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
def world(tmp_path: Path) -> Iterator[World]:
    with (
        Simulator() as simulator,
        exporter(tmp_path, simulator.configuration(), "--no-metrics.accounts") as url,
    ):
        yield World(simulator, url.removeprefix("http://"))


def adapted(run: SimpleNamespace, root: Path, name: str, address: str) -> str:
    """Return a shipped example with shorter intervals and the address of this test, without Alertmanager."""
    text = run.faster((root / "grafana" / "prometheus" / name).read_text())
    configuration = yaml.safe_load(text.replace("prepaid-exporter:10710", address))
    del configuration["alerting"], configuration["rule_files"], configuration["scrape_configs"][-1]
    run.patient(configuration)
    return yaml.safe_dump(configuration)


Ask = Callable[[str, str], list[dict[str, Any]]]


@pytest.fixture
def ask() -> Ask:
    """Query a Prometheus server."""

    def asked(url: str, query: str) -> list[dict[str, Any]]:
        answer = fetch(f"{url}/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    return asked


@pytest.fixture
def count(ask: Ask) -> Callable[..., Counter[str]]:
    """Count something of each account, over all servers."""

    def counted(function: str, name: str, *servers: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        for server in servers:
            for series in ask(server, f'{function}({name}{{job="prepaid-accounts"}}[30m])'):
                counts[series["metric"]["account"]] += int(series["value"][1])
        return counts

    return counted


@pytest.fixture
def scrapes(count: Callable[..., Counter[str]]) -> Callable[..., Counter[str]]:
    """Count the finished scrapes of each account, whatever came of them."""
    return partial(count, "count_over_time", "up")


@pytest.fixture
def readings(count: Callable[..., Counter[str]]) -> Callable[..., Counter[str]]:
    """Count the scrapes of each account that found it up."""
    return partial(count, "sum_over_time", "prepaid_account_up")


def test_one_server_finds_every_account_by_discovery_and_reads_it_under_its_own_labels(
    world: World, run: SimpleNamespace, ask: Ask, root: Path, tmp_path: Path, each_age: Callable[[str], str]
) -> None:
    configuration = adapted(run, root, "discovery.yml", world.address)
    with prometheus(each_age("prometheus"), tmp_path / "server", configuration) as server:

        def accounts_of(query: str) -> list[str]:
            return sorted(series["metric"]["account"] for series in ask(server, query))

        until(
            lambda: accounts_of("prepaid_account_up == 1") == world.accounts,
            "reading of every account, each once",
        )
        until(
            lambda: accounts_of("count by (account) (prepaid_balance)") == world.accounts,
            "balance of every account",
        )
        until(
            lambda: ask(server, 'prepaid_exporter_build_info{job="prepaid-exporter"}'), "page of the exporter"
        )
        assert not ask(server, '{exported_account!=""}')
        assert not ask(server, 'prepaid_account_up{job="prepaid-exporter"}')


@pytest.mark.long
def test_two_servers_share_the_accounts_and_each_account_is_asked_once_per_round(
    world: World,
    run: SimpleNamespace,
    scrapes: Callable[..., Counter[str]],
    readings: Callable[..., Counter[str]],
    root: Path,
    tmp_path: Path,
    each_age: Callable[[str], str],
) -> None:
    configuration = adapted(run, root, "sharded.yml", world.address)
    other = configuration.replace("regex: '0'", "regex: '1'")
    assert other != configuration
    rounds = 3

    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(prometheus(each_age("prometheus"), tmp_path / f"server-{number}", text))
            for number, text in enumerate((configuration, other))
        ]

        def enough() -> bool:
            counts = readings(*servers)
            return sorted(counts) == world.accounts and min(counts.values()) >= rounds

        until(enough, f"{rounds} readings of every account")
        # A scrape that came to nothing may have asked or not; one that is under way may have asked already.
        read = readings(*servers).total()
        asked = world.requests()
        begun = scrapes(*servers).total() + len(world.accounts)
        shares = [set(scrapes(server)) for server in servers]

    assert read <= asked <= begun
    assert all(shares), f"a server has no account at all: {shares}"
    assert not shares[0] & shares[1]
    assert sorted(shares[0] | shares[1]) == world.accounts

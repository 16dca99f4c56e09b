"""What a real Prometheus holds of the installed exporter: the documented numbers, and the truth when providers die."""

from __future__ import annotations

import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import PROVIDERS, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.prometheus.conftest import Prometheus

    Eventually = Callable[[Callable[[], bool], str], object]
    Agree = Callable[[Callable[[], object], object], None]

DEADLINE = 4.0
"""Seconds that Prometheus grants a scrape here, less those that the exporter keeps for the answer's way."""

PAGE_AFTER_PAGE = "min by (job) (min_over_time(up[30m]))"
"""Whether every scrape of every test got its page."""

SINGLE = "single/prepaid-exporter"
DISCOVERY = "discovery/prepaid-accounts"
SHARDS = "shard-.*/prepaid-accounts"

ACCOUNTS = {
    "coldmailreseller": {"outreach"},
    "smspubli": {"sms", "sms-branch"},
    "flexprice": {"acme", "globex"},
    "apimall": {"mall"},
}

OUTREACH = "coldmailreseller outreach main INR"
SMS = "smspubli sms main EUR"
BRANCH = "smspubli sms-branch main CREDITS"
ACME = "flexprice acme wallet_01 USD"
ACME_CREDITS = "flexprice acme wallet_01 CREDITS"
MALL = "apimall mall main CREDITS"

DOCUMENTED = {
    "prepaid_balance": {
        OUTREACH: 3334.95,
        SMS: 0.6,
        BRANCH: 1225,
        ACME: 118.2,
        "flexprice globex wallet_02 USD": 450,
        "flexprice globex wallet_03 EUR": -7.5,
        MALL: 120,
    },
    "prepaid_settled_balance": {
        ACME: 120.5,
        "flexprice globex wallet_02 USD": 500,
        "flexprice globex wallet_03 EUR": 15,
    },
    "prepaid_credit_balance": {
        ACME_CREDITS: 118.2,
        "flexprice globex wallet_02 CREDITS": 225,
        "flexprice globex wallet_03 CREDITS": -7.5,
    },
    'prepaid_balance_threshold{level="critical"}': {
        OUTREACH: 1000,
        BRANCH: 100,
        ACME: 10,
        "flexprice globex wallet_02 USD": 100,
        "flexprice globex wallet_03 EUR": 5,
        MALL: 25,
    },
    'prepaid_balance_threshold{level="warning"}': {OUTREACH: 2000, BRANCH: 300, ACME: 25},
    "prepaid_auto_recharge_enabled": {OUTREACH: 1, ACME: 1, "flexprice globex wallet_03 EUR": 0},
    "prepaid_auto_recharge_threshold": {OUTREACH: 1000, ACME: 20},
    "prepaid_auto_recharge_amount": {OUTREACH: 5000, ACME: 100},
    'prepaid_credit_breakdown{kind="free",account="acme"}': {ACME_CREDITS: 20.5},
    'prepaid_credit_breakdown{kind="purchased",account="acme"}': {ACME_CREDITS: 100},
    'prepaid_credit_breakdown{kind="credits"}': {MALL: 120},
    "prepaid_conversion_rate": {
        ACME: 1,
        "flexprice globex wallet_02 USD": 2,
        "flexprice globex wallet_03 EUR": 1,
    },
    'prepaid_alert_state{prepaid_alert_state="in_alarm"} == 1': {"flexprice globex wallet_03 EUR": 1},
    # Empty, or owed: what pages a person, with nothing but the balance and the threshold beside it.
    'prepaid_balance < ignoring(level) prepaid_balance_threshold{level="critical"}': {
        "flexprice globex wallet_03 EUR": -7.5
    },
}
"""What the providers' own documents show, by provider, account, wallet and currency."""


def wallets(prometheus: Prometheus, query: str, job: str) -> dict[str, float]:
    """Return what a query gives now of one job, by the labels of a wallet."""
    found = [(dict(labels), value) for labels, value in prometheus.ask(query, job).items()]
    names = ("provider", "account", "wallet", "currency")
    return {" ".join(labels[name] for name in names): value for labels, value in found}


@pytest.mark.parametrize("job", [SINGLE, DISCOVERY, SHARDS])
@pytest.mark.parametrize("query", DOCUMENTED)
def test_the_documented_numbers_arrive(prometheus: Prometheus, agree: Agree, query: str, job: str) -> None:
    agree(partial(wallets, prometheus, query, job), pytest.approx(DOCUMENTED[query]))


def test_it_is_the_installed_program_that_runs(installed: Path) -> None:
    command: list[str | Path] = [
        installed.with_name("python"),
        "-c",
        "import exporter; print(exporter.__file__)",
    ]
    file = subprocess.run(command, cwd=installed.parent, capture_output=True, text=True, check=True).stdout
    assert file.startswith(str(installed.parent.parent))


def test_every_way_of_scraping_gives_the_same_accounts_once(prometheus: Prometheus, agree: Agree) -> None:
    accounts = set().union(*ACCOUNTS.values())
    for job in (SINGLE, DISCOVERY, SHARDS):
        query = f'prepaid_account_up{{job=~"{job}"}}'
        agree(partial(prometheus.values, query), dict.fromkeys(accounts, 1))
    targets = prometheus.ask(f'up{{job=~"{SHARDS}"}}')
    assert {dict(labels)["account"] for labels in targets} == accounts
    assert prometheus.values('count by (job) (up{job=~"shard-.*-accounts"})', "job").keys() <= {
        "shard-0/prepaid-accounts",
        "shard-1/prepaid-accounts",
    }


def test_labels_arrive_under_their_own_names(prometheus: Prometheus) -> None:
    for label in ("account", "provider"):
        assert prometheus.ask(f'count({{exported_{label}!=""}})') == {}


def test_the_exporter_tells_of_itself_only_on_metrics(prometheus: Prometheus, agree: Agree) -> None:
    jobs = {SINGLE, *(f"{name}/prepaid-exporter" for name in ("discovery", "shard-0", "shard-1"))}
    for family in ("prepaid_exporter_build_info", "prepaid_exporter_config_last_reload_successful"):
        agree(partial(prometheus.values, family, "job"), dict.fromkeys(jobs, 1))
    requests = f'prepaid_exporter_upstream_requests_total{{job="{SINGLE}"}}'
    asked = f"sum by (provider) ({requests}) >= bool 1"
    agree(partial(prometheus.values, asked, "provider"), dict.fromkeys(PROVIDERS, 1))


def sure_of(prometheus: Prometheus, down: dict[str, str], job: str) -> bool:
    """Return whether exactly these accounts are down for these reasons, and nothing of their wallets is left."""
    accounts = prometheus.values(f'prepaid_account_up{{job=~"{job}"}}')
    shown = prometheus.values(f'group by (account) ({{job=~"{job}", wallet!=""}})')
    return (
        accounts == {account: float(account not in down) for account in set().union(*ACCOUNTS.values())}
        and prometheus.reasons(job) == down
        and set(shown) == set(accounts) - set(down)
    )


@pytest.mark.long
def test_each_death_costs_its_own_accounts_and_all_deaths_no_page(
    prometheus: Prometheus, simulator: Simulator, eventually: Eventually, agree: Agree
) -> None:
    down: dict[str, str] = {}
    for provider in PROVIDERS:
        simulator.kill(provider)
        down |= dict.fromkeys(ACCOUNTS[provider], "unreachable")
        for job in (SINGLE, DISCOVERY, SHARDS):
            eventually(partial(sure_of, prometheus, dict(down), job), f"{provider} is dead for {job}")
    assert prometheus.ask("prepaid_balance") == {}
    assert prometheus.ask(f'prepaid_account_http_status_code{{job="{SINGLE}"}}') == {}
    known = f'prepaid_account_last_success_timestamp_seconds{{job="{SINGLE}"}}'
    eventually(
        lambda: prometheus.values(known).keys() == down.keys(), "when each was last read is still there"
    )
    quick = f'scrape_duration_seconds{{job="{SINGLE}"}} < bool {DEADLINE}'
    agree(partial(prometheus.values, quick, "job"), {SINGLE: 1})
    for provider in PROVIDERS:
        simulator.revive(provider)
    for job in (SINGLE, DISCOVERY, SHARDS):
        eventually(partial(sure_of, prometheus, {}, job), f"everything is healed for {job}")
        balances = pytest.approx(DOCUMENTED["prepaid_balance"])
        agree(partial(wallets, prometheus, "prepaid_balance", job), balances)
    assert set(prometheus.values(PAGE_AFTER_PAGE, "job").values()) == {1}


def test_each_way_to_fail_has_its_reason(
    prometheus: Prometheus, simulator: Simulator, eventually: Eventually, agree: Agree
) -> None:
    simulator.fail("coldmailreseller", "hang")
    simulator.fail("smspubli", "unauthorized")
    simulator.fail("flexprice", "garbage")
    simulator.fail("apimall", "rate_limited")
    reasons = {
        "coldmailreseller": "timeout",
        "smspubli": "auth",
        "flexprice": "malformed",
        "apimall": "rate_limited",
    }
    down = {account: reasons[provider] for provider in PROVIDERS for account in ACCOUNTS[provider]}
    for job in (SINGLE, DISCOVERY):
        eventually(partial(sure_of, prometheus, down, job), f"each has its reason for {job}")
    slowest = prometheus.values(f'max_over_time(scrape_duration_seconds{{job="{SINGLE}"}}[30m])', "job")
    assert slowest[SINGLE] >= DEADLINE, "the page came at the deadline"
    statuses = {"sms": 401, "sms-branch": 401, "acme": 200, "globex": 200, "mall": 429}
    query = f'prepaid_account_http_status_code{{job="{SINGLE}"}}'
    agree(partial(prometheus.values, query), statuses)
    simulator.fail("apimall", "error_body")
    eventually(
        lambda: prometheus.reasons(SINGLE).get("mall") == "api_error", "an error body is told from a limit"
    )

    def counted() -> set[tuple[str, str]]:
        failures = prometheus.ask(f'prepaid_exporter_upstream_failures_total{{job="{SINGLE}"}} > 0')
        return {(dict(labels)["provider"], dict(labels)["reason"]) for labels in failures}

    expected = {("smspubli", "auth"), ("flexprice", "malformed"), ("apimall", "rate_limited")}
    eventually(lambda: expected <= counted(), "each failure is counted")
    assert set(prometheus.values(PAGE_AFTER_PAGE, "job").values()) == {1}, "and no page came too late"


def test_a_change_arrives_with_the_next_scrape(
    prometheus: Prometheus, simulator: Simulator, eventually: Eventually, agree: Agree
) -> None:
    wallet = simulator.wallet("apimall")
    before = wallet.balance

    def arrived(balance: float) -> bool:
        return all(
            wallets(prometheus, "prepaid_balance", job).get(MALL) == balance
            for job in (SINGLE, DISCOVERY, SHARDS)
        )

    try:
        wallet.balance = before - 100
        eventually(partial(arrived, 20), "the new balance is everywhere")
        query = 'prepaid_balance < ignoring(level) prepaid_balance_threshold{level="critical"}'
        agree(lambda: wallets(prometheus, query, SINGLE).get(MALL), 20)
    finally:
        wallet.balance = before
        eventually(partial(arrived, 120), "the old balance is everywhere")

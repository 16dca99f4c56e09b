"""The lines that are written here are those that the client library would write."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.config import load
from exporter.metrics.exposition import OPENMETRICS, TEXT_0, TEXT_1, Format, Page, of_accounts
from exporter.model import Credit, Level, Outcome, Reason, State, Wallet
from exporter.scrape import Reading

LETTERS = "abcdefghij"

HOSTILE = 'a "b" \\ c\\n é 💶 {x="y"} # EOF'

CONFIGURATION = """
accounts:
  - {name: well, provider: apimall, api_key: canary}
  - {name: ill, provider: flexprice, api_key: canary, params: {id: cust}}
  - {name: new, provider: apimall, api_key: canary}
"""

WALLET = Wallet(
    id=HOSTILE,
    currency="EUR",
    balance=Decimal("-12345678901234567890.25"),
    settled_balance=Decimal(0),
    credit_balance=Decimal("1e-9"),
    credit_unit="CREDITS",
    thresholds={Level.CRITICAL: Decimal("1234567.5")},
    auto_recharge_enabled=False,
    credit_breakdown=(Credit("free", Decimal("0.1"), "CREDITS"),),
    quota=Decimal("1e300"),
    name=HOSTILE,
    status=State("unknown", ("active", "unknown")),
)


@pytest.fixture
def readings(tmp_path: Path) -> list[Reading]:
    file = tmp_path / "prepaid.yml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    outcomes = (
        Outcome(at=1.0, duration=0.25, wallets=(WALLET,), status=200),
        Outcome(at=2.0, duration=1e-7, reason=Reason.AUTH, status=401),
        None,
    )
    return [
        Reading(account, outcome, 1.5 if outcome and outcome.up else None)
        for account, outcome in zip(load(file).accounts, outcomes, strict=True)
    ]


class _Registry(CollectorRegistry):
    """The same samples as the client library holds them: it sorts labels, so a letter before each keeps the order."""

    def __init__(self, readings: list[Reading]) -> None:
        super().__init__()
        self._readings = readings

    def collect(self) -> list[Metric]:
        found = []
        for family, samples in of_accounts(self._readings):
            metric = Metric(family.name, family.help, family.type)
            for values, value in samples:
                names = (f"{letter}__{name}" for letter, name in zip(LETTERS, family.labels, strict=False))
                metric.add_sample(family.name, dict(zip(names, values, strict=True)), value)
            found.append(metric)
        return found


@pytest.mark.parametrize("chosen", [TEXT_0, TEXT_1, OPENMETRICS])
def test_the_page_is_what_the_client_library_would_write(readings: list[Reading], chosen: Format) -> None:
    registry = _Registry(readings)
    if chosen.openmetrics:
        written = openmetrics.generate_latest(registry, version="1.0.0").decode()  # type: ignore[no-untyped-call]
    else:
        written = exposition.generate_latest(registry).decode()
    assert Page().render(readings, None, chosen).decode() == re.sub(f"([{{,])[{LETTERS}]__", r"\1", written)


def test_any_text_comes_back_from_the_page_as_it_was(readings: list[Reading]) -> None:
    page = Page().render(readings, None, TEXT_0).decode()
    read = {family.name: family.samples for family in text_string_to_metric_families(page)}
    assert [sample.labels["wallet_name"] for sample in read["prepaid_wallet_info"]] == [HOSTILE]
    assert [sample.value for sample in read["prepaid_balance"]] == [float(WALLET.balance or 0)]


def test_who_asks_at_once_and_while_nothing_changes_shares_one_text(readings: list[Reading]) -> None:
    page = Page()
    with ThreadPoolExecutor(8) as threads:
        shared = list(threads.map(lambda _: page.parts(readings, None, TEXT_0)[0], range(20)))
    well, ill, new = readings
    assert ill.outcome
    # While it is not asked, an account that is down says until when: that is on no page of families.
    waiting = replace(ill, outcome=replace(ill.outcome, detail="not asked for 3 s"))
    shared.append(page.parts([well, waiting, new], None, TEXT_0)[0])
    assert len({id(text) for text in shared}) == 1
    slower = replace(ill, outcome=replace(ill.outcome, duration=2.0))
    assert page.parts([well, slower, new], None, TEXT_0)[0] != shared[0]
    assert page.parts([well, new], None, TEXT_0)[0] != shared[0]

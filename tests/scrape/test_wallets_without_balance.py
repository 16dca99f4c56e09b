"""A wallet may have no balance, but what is booked, what is used of a plan, or no limit: every page says which."""

import io
import json
from decimal import Decimal

import pytest

from exporter.cli import nagios, report, terminal
from exporter.config import Account
from exporter.metrics.exposition import TEXT_0, Page
from exporter.model import Level, Outcome, Wallet
from exporter.providers import built_in
from exporter.scrape import Reading
from exporter.scrape.thresholds import breached, exhausted
from exporter.web import pages, trace

WALLETS = {
    "9 settled": Wallet("w", "EUR", settled_balance=Decimal(9)),
    "7 used of 10": Wallet("w", "EUR", quota_used=Decimal(7), quota=Decimal(10)),
    "7 used": Wallet("w", "EUR", quota_used=Decimal(7)),
    "no limit": Wallet("w", "EUR"),
}


def reading(wallet: Wallet) -> Reading:
    account = Account("mall", built_in("apimall"), {}, {}, "http://127.0.0.1", 1, 0)
    return Reading(account, Outcome(1.0, 1.0, wallets=(wallet,)), 1.0)


@pytest.mark.parametrize("text", WALLETS)
def test_every_page_shows_what_there_is_instead(text: str) -> None:
    one = reading(WALLETS[text])
    file = io.StringIO()
    terminal.console(file).print(report.table(report.rows([one])))
    words = text.split()

    assert all(word in file.getvalue() for word in words)
    assert all(word in pages.status([one], "/metrics") for word in words)
    assert all(word in trace.trace(one) for word in words)
    assert "prepaid_balance{" not in Page().render([one], None, TEXT_0).decode()
    (entry,) = json.loads(report.as_json([one]))[0]["wallets"]
    assert (entry["balance"], entry["balance_number"], entry["state"]) == (None, None, "ok")
    assert words[-1] in nagios.output(report.rows([one]), report.FINE)


def test_what_is_booked_is_held_against_thresholds_where_there_is_no_balance() -> None:
    low = Wallet("w", "EUR", settled_balance=Decimal(9), thresholds={Level.WARNING: Decimal(10)})
    assert breached(reading(low).account, low) is Level.WARNING
    assert exhausted(Wallet("w", "EUR", settled_balance=Decimal(0)))
    assert not exhausted(Wallet("w", "EUR", quota_used=Decimal(0)))
    assert (
        breached(reading(low).account, Wallet("w", "EUR", thresholds={Level.CRITICAL: Decimal(10)})) is None
    )

"""How urgent accounts and wallets are: one word, the same for pages, reports and programs."""

from decimal import Decimal

import pytest

from exporter.config import Account
from exporter.model import Level, Outcome, Reason, Wallet
from exporter.providers import built_in
from exporter.scrape import Reading
from exporter.scrape.states import URGENT, AccountState, state

ACCOUNT = Account("mall", built_in("apimall"), {}, {}, "http://127.0.0.1", 1, 0)
LEVELS = {Level.INFO: Decimal(30), Level.WARNING: Decimal(20), Level.CRITICAL: Decimal(10)}


def reading(outcome: Outcome | None) -> Reading:
    return Reading(ACCOUNT, outcome, None)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, "unasked"),
        (Outcome(1.0, 0.5), "ok"),
        (Outcome(1.0, 0.5, reason=Reason.EXHAUSTED), "critical"),
        *((Outcome(1.0, 0.5, reason=reason), "down") for reason in Reason if reason is not Reason.EXHAUSTED),
    ],
)
def test_an_account_without_wallets_to_show(outcome: Outcome | None, expected: AccountState) -> None:
    assert state(reading(outcome)) == expected


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        (40, "ok"),
        (30, "ok"),
        (29, "info"),
        (19, "warning"),
        (9, "critical"),
        (0, "critical"),
        (-5, "critical"),
    ],
)
def test_a_wallet_is_as_urgent_as_the_gravest_threshold_that_it_is_under(
    balance: int, expected: AccountState
) -> None:
    wallet = Wallet("w1", "EUR", Decimal(balance), thresholds=LEVELS)
    assert state(reading(Outcome(1.0, 0.5, wallets=(wallet,))), wallet) == expected


def test_the_last_wallet_of_an_account_that_is_down_is_no_more_urgent_than_the_account() -> None:
    wallet = Wallet("w1", "EUR", Decimal(0))
    assert state(reading(Outcome(1.0, 0.5, reason=Reason.TIMEOUT)), wallet) == "down"


def test_every_state_has_its_place_among_the_others() -> None:
    assert list(URGENT) == ["critical", "down", "warning", "info", "unasked", "ok"]

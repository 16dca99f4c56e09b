"""Which thresholds are in force, and what a balance means against them."""

from decimal import Decimal
from typing import Any

import pytest

from exporter.config import Account
from exporter.model import Level, Thresholds, Wallet
from exporter.providers import built_in
from exporter.scrape.thresholds import breached, effective_thresholds, exhausted

CRITICAL, WARNING, INFO = Level.CRITICAL, Level.WARNING, Level.INFO


def account(**settings: Any) -> Account:
    return Account("a", built_in("flexprice"), {}, {}, "https://example.org", 10, 0, **settings)


def wallet(balance: str = "50", **amounts: Any) -> Wallet:
    return Wallet("w1", "USD", Decimal(balance), **amounts)


def levels(**values: int) -> Thresholds:
    return {Level(name): Decimal(value) for name, value in values.items()}


def test_the_operators_threshold_comes_before_the_providers_level_by_level() -> None:
    found = effective_thresholds(
        account(thresholds=levels(warning=100)), wallet(thresholds=levels(warning=7, critical=5))
    )
    assert list(found.items()) == [(WARNING, Decimal(100)), (CRITICAL, Decimal(5))]


def test_a_wallet_id_comes_before_a_currency_and_both_before_the_account() -> None:
    mine = account(
        thresholds=levels(info=1, warning=1, critical=1),
        wallet_thresholds={
            "USD": levels(warning=2, critical=2),
            "w1": levels(critical=3),
            "EUR": levels(info=9),
        },
    )
    assert effective_thresholds(mine, wallet()) == {INFO: 1, WARNING: 2, CRITICAL: 3}


def test_a_currency_counts_in_small_letters_too() -> None:
    assert effective_thresholds(account(wallet_thresholds={"usd": levels(critical=2)}), wallet()) == {
        CRITICAL: 2
    }


def test_the_recharge_threshold_stands_in_for_a_missing_warning_alone() -> None:
    recharging = wallet(auto_recharge_threshold=Decimal(20))
    assert effective_thresholds(account(), recharging) == {WARNING: 20}
    assert effective_thresholds(account(thresholds=levels(warning=30)), recharging) == {WARNING: 30}
    assert effective_thresholds(account(), wallet()) == {}


def test_a_threshold_of_zero_is_a_threshold() -> None:
    mine = account(thresholds=levels(warning=0))
    assert effective_thresholds(mine, wallet(auto_recharge_threshold=Decimal(20))) == {WARNING: 0}


@pytest.mark.parametrize(
    ("balance", "level"), [("100", None), ("99.99", INFO), ("50", INFO), ("10", WARNING), ("9.999", CRITICAL)]
)
def test_the_most_severe_threshold_that_the_balance_is_under_counts(
    balance: str, level: Level | None
) -> None:
    assert breached(account(thresholds=levels(info=100, warning=50, critical=10)), wallet(balance)) == level


@pytest.mark.parametrize(
    ("balance", "more", "empty"),
    [
        ("0", {}, True),
        ("-7.5", {}, True),
        ("0.0001", {}, False),
        ("-7.5", {"postpaid": True}, False),
        ("-7.5", {"credit_limit": Decimal(10)}, False),
        ("-10", {"credit_limit": Decimal(10)}, True),
    ],
)
def test_an_exhausted_wallet_is_critical_without_any_threshold(
    balance: str, more: dict[str, Any], empty: bool
) -> None:
    assert exhausted(wallet(balance, **more)) is empty
    assert breached(account(), wallet(balance, **more)) is (CRITICAL if empty else None)

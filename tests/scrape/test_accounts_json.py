"""The accounts as JSON, as programs read them."""

import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from exporter.config import Account
from exporter.model import Level, Outcome, Reason, State, Wallet
from exporter.providers import built_in
from exporter.scrape import Reading
from exporter.scrape.accounts_json import accounts_as_json, accounts_schema

ACCOUNT = Account("mall", built_in("apimall"), {}, {}, "http://127.0.0.1", 1, 0)


def entry(outcome: Outcome | None, last_success: float | None = None) -> dict[str, Any]:
    """Return the one account as a program reads it; what it reads is what the schema says."""
    written = json.dumps(accounts_as_json([Reading(ACCOUNT, outcome, last_success)]), allow_nan=False)
    entries: list[dict[str, Any]] = json.loads(written)
    jsonschema.Draft202012Validator(accounts_schema()).validate(entries)
    return entries[0]


def wallets(*wallets: Wallet) -> Outcome:
    return Outcome(1.0, 0.5, wallets=wallets, status=200)


def test_an_account_is_told_with_its_wallets() -> None:
    wallet = Wallet(
        "w1",
        "EUR",
        Decimal("118.20"),
        thresholds={Level.WARNING: Decimal("1E+2")},
        auto_recharge_enabled=True,
        auto_recharge_amount=Decimal(100),
        name="Main",
        status=State("frozen", ("active", "frozen")),
    )
    assert entry(Outcome(1.0, 0.5, wallets=(wallet,), status=200, notes=("x is left out",)), 12.5) == {
        "account": "mall",
        "provider": "apimall",
        "provider_title": "API Mall",
        "up": True,
        "state": "ok",
        "reason": None,
        "detail": None,
        "hint": None,
        "http_status": 200,
        "last_success_timestamp_seconds": 12.5,
        "dashboard_url": None,
        "topup_url": None,
        "notes": ["x is left out"],
        "wallets": [
            {
                "wallet": "w1",
                "name": "Main",
                "status": "frozen",
                "currency": "EUR",
                "balance": "118.20",
                "balance_number": 118.2,
                "cached": None,
                "thresholds": {"warning": "100"},
                "state": "ok",
                "auto_recharge": {"enabled": True, "threshold": None, "amount": "100"},
            }
        ],
    }


def test_an_account_that_is_down_says_why_and_shows_no_balance() -> None:
    told = entry(
        Outcome(1.0, 0.5, reason=Reason.AUTH, detail="HTTP status 401", hint="Renew it.", status=401), 3.0
    )
    assert (told["up"], told["state"], told["reason"], told["wallets"]) == (False, "down", "auth", [])
    assert (told["detail"], told["hint"], told["http_status"]) == ("HTTP status 401", "Renew it.", 401)
    assert told["last_success_timestamp_seconds"] == 3.0


def test_a_provider_that_refuses_since_nothing_is_left_is_critical() -> None:
    told = entry(Outcome(1.0, 0.5, reason=Reason.EXHAUSTED, status=402))
    assert (told["up"], told["state"], told["reason"]) == (False, "critical", "exhausted")


def test_an_account_that_nobody_asked_is_neither_up_nor_down() -> None:
    told = entry(None)
    assert (told["up"], told["state"], told["reason"], told["http_status"]) == (False, "unasked", None, None)


@pytest.mark.parametrize(
    ("balance", "number"),
    [
        ("0", 0.0),
        ("-0.10", -0.1),
        ("0.1000000000000000055511151231257827", 0.1),
        ("123456789012345678901234567890.12", 123456789012345678901234567890.12),
        ("1E+3", 1000.0),
        ("1E+400", None),
    ],
)
def test_amounts_are_text_with_every_digit_and_a_number_beside_them(
    balance: str, number: float | None
) -> None:
    (wallet,) = entry(wallets(Wallet("main", "EUR", Decimal(balance))))["wallets"]
    assert wallet["balance"] == f"{Decimal(balance):f}"
    assert wallet["balance_number"] == number


def test_the_state_of_an_account_is_the_most_urgent_of_its_wallets() -> None:
    levels = {Level.INFO: Decimal(30), Level.WARNING: Decimal(20), Level.CRITICAL: Decimal(10)}
    asked = [Wallet(str(balance), "EUR", Decimal(balance), thresholds=levels) for balance in (40, 25, 15, 5)]
    assert [wallet["state"] for wallet in entry(wallets(*asked))["wallets"]] == [
        "ok",
        "info",
        "warning",
        "critical",
    ]
    assert [entry(wallets(*asked[:count]))["state"] for count in range(5)] == [
        "ok",
        "ok",
        "info",
        "warning",
        "critical",
    ]

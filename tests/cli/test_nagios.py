"""What monitoring systems read: their rules are those of the Monitoring Plugins Development Guidelines."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from exporter.cli import nagios, report
from exporter.config import Account
from exporter.model import Level, Outcome, Reason, Wallet
from exporter.providers import built_in
from exporter.scrape import Reading

DATA = re.compile(r"'([^'=|]+)'=(-?[0-9.]+)([^0-9;'\" ]*)(?:;([0-9.:~@-]*)(?:;([0-9.:~@-]*))?)?")
"""A label, a value, its unit, the ranges for warning and critical."""


def reading(name: str = "mall", *wallets: Wallet, **outcome: Any) -> Reading:
    account = Account(name, built_in("apimall"), {}, {}, "http://127.0.0.1", 1, 0)
    return Reading(account, Outcome(1.0, 1.0, wallets=wallets, **outcome), 1.0)


def wallet(balance: str, name: str = "main", unit: str = "USD", **levels: int) -> Wallet:
    thresholds = {Level(level): Decimal(value) for level, value in levels.items()}
    return Wallet(name, unit, Decimal(balance), thresholds=thresholds)


def told(*readings: Reading) -> list[str]:
    rows = report.rows(readings)
    return nagios.output(rows, report.exit_status(rows)).splitlines()


def data(line: str) -> list[tuple[str, ...]]:
    """Read the performance data as a monitoring system does."""
    _, bar, rest = line.partition(" | ")
    assert bar
    found = [match.groups("") for match in DATA.finditer(rest)]
    assert DATA.sub("", rest).strip() == "", rest
    return found


def test_all_is_fine() -> None:
    first, *more = told(reading("a", wallet("118.2", warning=25, critical=10)), reading("b", wallet("7")))
    assert first.startswith("PREPAID OK: 2 fine | ")
    assert first.endswith(" | 'a/main'=118.2USD;25:;10: 'b/main'=7USD")
    assert more == ["ok: a/main 118.2 USD (warning under 25, critical under 10)", "ok: b/main 7 USD"]


def test_the_worst_comes_first_and_the_rest_is_counted() -> None:
    first, *more = told(
        reading("fine", wallet("50", critical=10)),
        reading("low", wallet("20", warning=25)),
        reading("gone", reason=Reason.AUTH, detail="HTTP status 401", hint="Renew the key."),
        reading("empty", wallet("0", "w1"), wallet("3", "w2", critical=10)),
    )
    text = first.partition(" | ")[0]
    assert text == (
        "PREPAID CRITICAL: empty/w1 0 USD (nothing left), empty/w2 3 USD (critical under 10), "
        "gone (auth; HTTP status 401; Renew the key.), 1 more, 1 fine"
    )
    assert [line.partition(":")[0] for line in more] == ["critical", "critical", "down", "warning", "ok"]


@pytest.mark.parametrize(
    ("readings", "word"),
    [
        ([reading("a", wallet("1", critical=2)), reading("b", reason=Reason.TLS)], "CRITICAL"),
        ([reading("a", wallet("1", warning=2)), reading("b", reason=Reason.TLS)], "UNKNOWN"),
        ([reading("a", reason=Reason.EXHAUSTED), reading("b", reason=Reason.TLS)], "CRITICAL"),
        ([reading("a", wallet("1", warning=2)), reading("b", wallet("1", info=2))], "WARNING"),
        ([reading("a", wallet("1", info=2)), reading("b")], "OK"),
        ([], "OK"),
    ],
)
def test_the_word_is_that_of_the_exit_status(readings: list[Reading], word: str) -> None:
    assert told(*readings)[0].startswith(f"PREPAID {word}: ")


def test_values_are_exact_and_ranges_are_what_is_fine() -> None:
    (line, *_) = told(
        reading(
            "a",
            wallet("1663.88794592221", "w1", warning=2000),
            wallet("-0.000000001", "w2", critical=5),
            wallet("1E+3", "w3", warning=7, critical=5),
        )
    )
    assert data(line) == [
        ("a/w2", "-0.000000001", "USD", "", "5:"),
        ("a/w1", "1663.88794592221", "USD", "2000:", ""),
        ("a/w3", "1000", "USD", "7:", "5:"),
    ]


@pytest.mark.parametrize(("unit", "expected"), [("CREDITS", "CREDITS"), ("SMS_2", ""), ("B2B", "")])
def test_a_unit_that_would_be_taken_for_a_number_is_left_out(unit: str, expected: str) -> None:
    assert data(told(reading("a", wallet("1", unit=unit)))[0]) == [("a/main", "1", expected, "", "")]


@pytest.mark.parametrize("name", ["a|b", "it's", "a=b", "a b", "100%", "x;y", "ä"])
def test_no_name_breaks_the_line(name: str) -> None:
    first, *more = told(reading(name, wallet("1", name), notes=("|",)))
    (found,) = data(first)
    assert found[0] == f"{name}/{name}".translate(str.maketrans("'=|", "__/"))
    assert first.count("|") == 1
    assert not any("|" in line for line in more)


def test_an_error_is_told_on_the_first_line() -> None:
    assert nagios.unknown("a | b\nc").splitlines() == ["PREPAID UNKNOWN: a / b", "c"]

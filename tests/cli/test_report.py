"""What `check` prints of texts that providers chose, and of wallets in want."""

from __future__ import annotations

import io
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from exporter.cli import report, terminal
from exporter.config import Account
from exporter.model import Level, Outcome, Wallet
from exporter.providers import built_in
from exporter.scrape import Reading

if TYPE_CHECKING:
    from pathlib import Path


def reading(wallet: Wallet, **more: Any) -> Reading:
    account = Account("mall", built_in("apimall"), {}, {}, "http://127.0.0.1", 1, 0)
    return Reading(account, Outcome(1.0, 1.0, wallets=(wallet,), **more), 1.0)


def printed(*readings: Reading, exact: bool = False) -> str:
    file = io.StringIO()
    terminal.console(file).print(report.table(report.rows(readings, exact=exact)))
    return file.getvalue()


@pytest.mark.parametrize("name", ["a[b]", "x\\[/y]", "x\\[bold]y", "end\\", "[red]", "\\\\[/]", ":smile:"])
def test_a_provider_s_text_is_printed_as_it_is(name: str) -> None:
    row = printed(reading(Wallet(name, "EUR", Decimal(1)))).splitlines()[1]
    assert row.split() == ["ok", "mall", "apimall", name, "1", "EUR"]


@pytest.mark.parametrize("length", [150, 400])
def test_nothing_is_cut_or_folded_in_a_pipe(length: int) -> None:
    name = "w" * length
    lines = printed(reading(Wallet(name, "EUR", Decimal(1)))).splitlines()
    assert len(lines) == 2
    assert name in lines[1]


def test_an_exhausted_wallet_says_so_whether_it_has_thresholds_or_not() -> None:
    plain = reading(Wallet("main", "EUR", Decimal(0)))
    warned = reading(Wallet("main", "EUR", Decimal(-1), thresholds={Level.WARNING: Decimal(5)}))
    assert printed(plain).splitlines()[1].split()[0] == "critical"
    assert printed(plain).rstrip().endswith("  nothing left")
    assert printed(warned).rstrip().endswith("  nothing left, warning under 5")
    assert report.exit_status(report.rows([plain])) == 2


def test_a_balance_out_of_the_provider_s_cache_says_so() -> None:
    cached = reading(Wallet("main", "EUR", Decimal(9), cached=True, thresholds={Level.WARNING: Decimal(5)}))
    fresh = reading(Wallet("main", "EUR", Decimal(9), cached=False))
    assert printed(cached).rstrip().endswith("  from the provider's cache, warning under 5")
    assert "cache" not in printed(fresh)
    told = [json.loads(report.as_json([one]))[0]["wallets"][0]["cached"] for one in (cached, fresh)]
    assert told == [True, False]


def test_what_was_left_out_of_a_good_answer_is_in_the_json() -> None:
    (entry,) = json.loads(
        report.as_json([reading(Wallet("main", "EUR", Decimal(1)), notes=("main.quota is not a number",))])
    )
    assert entry["notes"] == ["main.quota is not a number"]


def test_no_environment_colours_a_pipe(run: Any, prepaid: Path) -> None:
    assert prepaid.exists()
    result = run("check", "mall", env={"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "CLICOLOR_FORCE": "1"})
    assert result.status == 0
    assert "\x1b" not in result.out + result.err
    assert result.err == ""


def test_a_narrow_terminal_folds_and_cuts_nothing(prepaid: Path, on_a_terminal: Any) -> None:
    prepaid.write_text(
        prepaid.read_text().replace("name: mall", "name: abcdefghijklmnopqrstuvwxyz0123456789")
    )
    status, shown = on_a_terminal("check", "abcdefghijklmnopqrstuvwxyz0123456789", columns=60)
    assert status == 0
    assert "…" not in shown
    lines = re.sub(r"\x1b\[[0-9]*m", "", shown).splitlines()
    (heading,) = [number for number, line in enumerate(lines) if "ACCOUNT" in line]
    left, right = lines[heading].index("ACCOUNT"), lines[heading].index("PROVIDER")
    name = "".join(line[left:right].strip() for line in lines[heading + 1 :])
    assert name == "abcdefghijklmnopqrstuvwxyz0123456789"


def test_a_number_is_whole_on_a_terminal_of_eighty_columns(
    prepaid: Path, simulator: Any, on_a_terminal: Any
) -> None:
    simulator.wallet("coldmailreseller").balance = "1663.88794592221"
    for arguments, expected in (((), "1663.88"), (("--exact",), "1663.88794592221")):
        _, shown = on_a_terminal("check", *arguments, columns=80)
        words = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).split()
        assert expected in words
    assert prepaid.exists()


def test_digits_are_cut_for_people_and_not_for_who_asks_for_them() -> None:
    wallet = Wallet("main", "EUR", Decimal("0.123456"), thresholds={Level.INFO: Decimal("7.999")})
    assert printed(reading(wallet)).split()[-6:] == ["main", "0.1234", "EUR", "info", "under", "7.99"]
    assert printed(reading(wallet), exact=True).split()[-6:] == [
        "main",
        "0.123456",
        "EUR",
        "info",
        "under",
        "7.999",
    ]


def test_digits_are_those_of_the_currency() -> None:
    wallet = Wallet("main", "JPY", Decimal("1234.56"), thresholds={Level.INFO: Decimal("7.999")})
    assert printed(reading(wallet)).split()[-6:] == ["main", "1234", "JPY", "info", "under", "7"]


def test_an_unknown_account_is_told_with_those_that_there_are(
    run: Any, prepaid: Path, simulator: Any
) -> None:
    assert prepaid.exists()
    result = run("check", "zzz", "zzz")
    message = "no account 'zzz' is configured; the accounts are outreach, sms, sms-branch, acme, globex, mall"
    assert (result.status, result.err.splitlines()[0]) == (3, message)
    assert simulator.requests("apimall") == 0


def test_the_example_of_a_provider_has_the_min_interval_that_it_recommends(run: Any) -> None:
    out = run("providers", "flexprice").out
    assert "    min_interval: 1m\n" in out.partition("An account to start from:")[2]
    assert "min_interval   1m recommended" in out
    assert "min_interval" not in run("providers", "apimall").out

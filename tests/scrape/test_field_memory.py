"""What is remembered of the fields that wallets gave, and for how long one is missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exporter.model import FieldAnswers, Wallet
from exporter.scrape.field_memory import REMEMBERED, FieldMemory, missing_notes

KEY = ("w1", "EUR")


Given = tuple[str, frozenset[str], frozenset[str]]


def wallet(given: str = "", lost: str = "", name: str = "w1") -> Given:
    return name, frozenset(given.split()), frozenset(lost.split())


def noted(memory: FieldMemory, now: float, *wallets: Given) -> dict[Any, Any]:
    """Note an answer with such wallets; return what is missing."""
    given: dict[Any, Any] = {(name, "EUR"): dict.fromkeys(fields, 0) for name, fields, _ in wallets}
    lost = {(name, "EUR"): fields for name, _, fields in wallets}
    memory.note(FieldAnswers(memory.given, given, lost), now)
    return dict(memory.missing(now))


def test_a_field_that_is_lost_is_missing_until_it_is_back() -> None:
    memory = FieldMemory()
    assert noted(memory, 0, wallet("status quota")) == {}
    assert noted(memory, 60, wallet("quota", "status")) == {KEY: ("status",)}
    assert memory.given == {KEY: {"status": 0, "quota": 0}}, "it is looked for in the next answer too"
    assert noted(memory, 120, wallet("quota", "status")) == {KEY: ("status",)}
    assert noted(memory, 180, wallet("quota status")) == {}


def test_a_field_of_which_the_provider_says_that_there_is_none_is_missing_no_more() -> None:
    memory = FieldMemory()
    noted(memory, 0, wallet("status"))
    noted(memory, 60, wallet("", "status"))
    assert noted(memory, 120, wallet("")) == {}
    assert memory.given == {KEY: {}}


def test_after_a_day_a_field_is_gone_for_good() -> None:
    memory = FieldMemory()
    noted(memory, 0, wallet("status"))
    noted(memory, 60, wallet("", "status"))
    assert noted(memory, REMEMBERED, wallet("", "status")) == {KEY: ("status",)}
    assert memory.missing(REMEMBERED + 59) == {KEY: ("status",)}
    assert memory.missing(REMEMBERED + 60) == {}, "without another answer too"
    assert noted(memory, REMEMBERED + 61, wallet("", "status")) == {}
    assert memory.given == {KEY: {}}, "nobody looks for it any more"
    assert noted(memory, REMEMBERED + 62, wallet("status")) == {}
    assert noted(memory, REMEMBERED + 63, wallet("", "status")) == {KEY: ("status",)}


def test_a_reload_forgets_what_is_missing_and_not_what_is_given() -> None:
    memory = FieldMemory()
    noted(memory, 0, wallet("status quota"))
    noted(memory, 60, wallet("quota", "status"))
    memory.begin_anew()
    assert memory.missing(61) == {}
    assert memory.given == {KEY: {"quota": 0}}
    assert noted(memory, 120, wallet("quota", "status")) == {}, "from a call that began before the reload"
    assert noted(memory, 180, wallet("", "quota")) == {KEY: ("quota",)}


def test_a_wallet_that_comes_back_without_a_field_has_lost_it() -> None:
    memory = FieldMemory()
    noted(memory, 0, wallet("status"), wallet("quota", name="w2"))
    assert noted(memory, 60, wallet("quota", name="w2")) == {}
    assert noted(memory, 120, wallet("", "status"), wallet("quota", name="w2")) == {KEY: ("status",)}


def test_ever_new_wallets_do_not_fill_the_memory() -> None:
    memory = FieldMemory()
    for number in range(1000):
        noted(memory, number, wallet("status", name=f"a{number}"), wallet("", "status", name=f"b{number}"))
    assert len(memory.given) == 102
    noted(memory, 2000)
    assert len(memory.given) == 100
    assert ("b999", "EUR") in memory.given


def test_notes_say_which_field_of_which_wallet() -> None:
    missing = {KEY: ("status", "thresholds.critical")}
    first, second = (Wallet(name, "EUR", Decimal(1)) for name in ("w0", "w1"))
    (one, two) = missing_notes([first, second], missing)
    assert one == "wallets[1].status is missing: an earlier answer gave it"
    assert two.startswith("wallets[1].thresholds.critical ")
    assert missing_notes([second], {KEY: ("status",)}) == (
        "wallet.status is missing: an earlier answer gave it",
    )

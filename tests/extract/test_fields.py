"""What becomes of the other fields of a wallet: times, texts, currencies, flags."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exporter.extract.extractor import Extractor
from exporter.model import Failure, Reason

EUR = {"currency": {"literal": "EUR"}, "balance": "b"}
Extract = Callable[..., Any]


@pytest.mark.parametrize(
    ("value", "format_", "seconds"),
    [
        ('"2027-01-31"', "iso8601", "1801353600"),
        ('"2027-01-31T02:00:00.5+02:00"', "iso8601", "1801353600.5"),
        ('"2000-01-01T00:00:00Z"', "iso8601", "946684800"),
        ('"2100-12-31T23:59:59Z"', "iso8601", "4133980799"),
        ("1801353600", "unix", "1801353600"),
        ('"1801353600.5"', "unix", "1801353600.5"),
        ("1801353600500", "unix_ms", "1801353600.5"),
    ],
)
def test_a_time_is_read(value: str, format_: str, seconds: str, extract: Extract) -> None:
    mapping = {**EUR, "expiry_timestamp": {"path": "t", "format": format_}}
    ((wallet,), notes) = extract(mapping, f'{{"b": 1, "t": {value}}}')
    assert (wallet.expiry_timestamp, notes) == (Decimal(seconds), ())


@pytest.mark.parametrize(
    ("value", "format_"),
    [
        ('"0001-01-01T00:00:00Z"', "iso8601"),
        ('"0001-01-01T00:00:00+14:00"', "iso8601"),
        ('"1970-01-01"', "iso8601"),
        ('"1999-12-31T23:59:59.999999Z"', "iso8601"),
        ('"2101-01-01T00:00:00Z"', "iso8601"),
        ('"9999-12-31T23:59:59Z"', "iso8601"),
        ('"9999-12-31T23:59:59-14:00"', "iso8601"),
        ("0", "unix"),
        ("-1", "unix"),
        ('"0"', "unix"),
        ("253402300799", "unix"),
        ("1e300", "unix"),
        ("1e400", "unix"),
        ("1801353600500", "unix"),
        ("0", "unix_ms"),
        ("-62135596800000", "unix_ms"),
        ("1801353600", "unix_ms"),
        ("null", "iso8601"),
        ('""', "iso8601"),
    ],
)
@pytest.mark.parametrize("field", ["expiry_timestamp", "quota_reset_timestamp"])
def test_never_is_no_date(value: str, format_: str, field: str, extract: Extract) -> None:
    mapping = {**EUR, field: {"path": "t", "format": format_}}
    ((wallet,), notes) = extract(mapping, f'{{"b": 1, "t": {value}}}')
    assert (getattr(wallet, field), notes) == (None, ())


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("value", "format_", "seconds"),
    [
        ("0", "seconds_from_now", NOW),
        ("3600", "seconds_from_now", NOW + 3600),
        ('"86400.5"', "seconds_from_now", Decimal(NOW) + Decimal("86400.5")),
        ("-1", "seconds_from_now", None),
        ("99999999999", "seconds_from_now", None),
        ('"00:00:00"', "hms_from_now", NOW),
        ('"100:59:59"', "hms_from_now", NOW + 363_599),
        ('" 1:00:05 "', "hms_from_now", NOW + 3605),
        ('""', "hms_from_now", None),
        ("null", "hms_from_now", None),
    ],
)
def test_a_time_that_is_left_is_counted_from_now(
    value: str, format_: str, seconds: Decimal | int | None, define: Callable[..., Any]
) -> None:
    extractor = Extractor(define(wallets={**EUR, "expiry_timestamp": {"path": "t", "format": format_}}))
    document = extractor.document(200, f'{{"b": 1, "t": {value}}}'.encode())
    ((wallet,), notes) = extractor.wallets(document, None, now=NOW + 0.9)
    assert (wallet.expiry_timestamp, notes) == (seconds, ())


@pytest.mark.parametrize("value", ['"1:60:00"', '"1:00"', '"1:00:00.5"', '"-1:00:00"', "3600", '"1d"'])
def test_what_is_no_time_that_is_left_is_left_out_and_named(value: str, extract: Extract) -> None:
    mapping = {**EUR, "quota_reset_timestamp": {"path": "t", "format": "hms_from_now"}}
    ((wallet,), (note,)) = extract(mapping, f'{{"b": 1, "t": {value}}}')
    assert wallet.quota_reset_timestamp is None
    assert note.startswith("wallet.quota_reset_timestamp is not a time such as 12:30:00: ")


@pytest.mark.parametrize(
    ("value", "format_", "said"),
    [
        ('"soon"', "iso8601", "is not a date: a text at t"),
        ("1801353600", "iso8601", "is not a date: a number at t"),
        ('"2027-01-31"', "unix", "is not a number: a text at t"),
        ("true", "unix", "is not a number: true or false at t"),
    ],
)
def test_what_is_no_time_is_left_out_and_named(value: str, format_: str, said: str, extract: Extract) -> None:
    mapping = {**EUR, "expiry_timestamp": {"path": "t", "format": format_}}
    ((wallet,), notes) = extract(mapping, f'{{"b": 1, "t": {value}}}')
    assert (wallet.expiry_timestamp, notes) == (None, (f"wallet.expiry_timestamp {said}; left out",))


ODD = [
    "prepaid\u00a0EUR",
    "1\u202f234",
    "\u00a0both\u00a0",
    " plain spaces ",
    "zero\u200bwidth",
    "\U0001f468\u200d\U0001f469\u200d\U0001f466",
    "soft\u00adhyphen",
    "\U0001fae9 a new face",
    "\u2028line\u2029",
    "\u202eright to left",
    "\ufeff",
    "\ue000 private",
    "\uffff",
    "x" * 200,
]


@pytest.mark.parametrize("name", ODD)
def test_an_id_is_taken_as_it_is(name: str, extract: Extract) -> None:
    mapping = {**EUR, "id": "i", "name": "i", "customer": "i"}
    ((wallet,), notes) = extract(mapping, json.dumps({"b": 1, "i": name}))
    assert (wallet.id, wallet.name, wallet.customer, notes) == (name, name, name, ())


def test_an_id_has_a_greatest_length(extract: Extract) -> None:
    with pytest.raises(Failure) as caught:
        extract({**EUR, "id": "i"}, json.dumps({"b": 1, "i": "x" * 201}))
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("sign", ["\x00", "\n", "\t", "\x1b", "\x7f", "\x85", "\x9f", "\ud800"])
def test_control_characters_and_half_pairs_are_refused(sign: str, extract: Extract) -> None:
    mapping = {**EUR, "id": "i"}
    with pytest.raises(Failure) as caught:
        extract(mapping, json.dumps({"b": 1, "i": f"a{sign}b"}))
    said = "wallet.id is not a short text without control characters: a text at i"
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, said)


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        ("null", "INR"),
        ('""', "INR"),
        ('" "', "INR"),
        ('"\\u200b"', "INR"),
        ('"\\u00a0\\ufeff\\t\\n"', "INR"),
        ('"usd"', "USD"),
        ('" Usd\\u200b "', "USD"),
        ('"sms_credits"', "SMS_CREDITS"),
    ],
)
def test_a_blank_currency_is_the_operators(given: str, unit: str, extract: Extract) -> None:
    ((wallet,), _) = extract({"currency": "c", "balance": "b"}, f'{{"b": 1, "c": {given}}}', "INR")
    assert wallet.currency == unit


@pytest.mark.parametrize("given", ["null", '""', '"\\u200b"'])
def test_a_blank_currency_that_nobody_names_is_malformed(given: str, extract: Extract) -> None:
    with pytest.raises(Failure, match=r"^malformed: wallet.currency is missing: nothing at c$"):
        extract({"currency": "c", "balance": "b"}, f'{{"b": 1, "c": {given}}}')


@pytest.mark.parametrize(
    "given", ['"\\u20ac"', '"US Dollar"', '"U\\u200bSD"', "840", "true", '["USD"]', '"-"']
)
def test_what_is_no_currency_is_malformed_whatever_the_operator_says(given: str, extract: Extract) -> None:
    with pytest.raises(Failure, match=r"^malformed: wallet.currency is not a currency code: "):
        extract({"currency": "c", "balance": "b"}, f'{{"b": 1, "c": {given}}}', "INR")


@pytest.mark.parametrize(
    ("given", "cached"), [("true", True), ("false", False), ("null", None), ("1", None), ('"true"', None)]
)
def test_a_balance_out_of_a_cache_is_told(given: str, cached: bool | None, extract: Extract) -> None:
    ((wallet,), notes) = extract({**EUR, "cached": "c"}, f'{{"b": 1, "c": {given}}}')
    assert wallet.cached is cached
    assert bool(notes) is (given in ("1", '"true"'))


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        ("RUR", "RUB"),
        ("rur", "RUB"),
        ("\u0440\u0443\u0431.", "RUB"),
        ("\u20ac", "EUR"),
        (" \u20ac ", "EUR"),
        ("usd", "USD"),
        ("", "INR"),
    ],
)
def test_a_currency_may_have_other_names(given: str, unit: str, extract: Extract) -> None:
    aliases = {"RUR": "RUB", "\u0440\u0443\u0431.": "RUB", "\u20ac": "EUR"}
    mapping = {"currency": {"path": "c", "aliases": aliases}, "balance": "b"}
    ((wallet,), _) = extract(mapping, json.dumps({"b": 1, "c": given}), "INR")
    assert wallet.currency == unit


def test_a_currency_may_stand_in_a_text(extract: Extract) -> None:
    pattern = {"path": "b", "pattern": "[-0-9.]+ (.*)", "aliases": {"K\u010d": "CZK"}}
    mapping = {"currency": pattern, "balance": {"path": "b", "pattern": "(-?[0-9.]+) [A-Za-z\u010d]+"}}
    ((wallet,), _) = extract(mapping, '{"b": "12.50 K\u010d"}')
    assert (wallet.balance, wallet.currency) == (Decimal("12.50"), "CZK")
    ((wallet,), _) = extract({**mapping, "balance": "a"}, '{"a": 1, "b": ""}', "INR")
    assert wallet.currency == "INR"
    for text in ("12.50", "12.50 ", "K\u010d", "12.50 Kr\u010d"):
        with pytest.raises(Failure, match=r"wallet.currency is not a currency code: a text at b"):
            extract({**mapping, "balance": "a"}, json.dumps({"a": 1, "b": text}))


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        ("true", True),
        ("false", False),
        ("1", True),
        ('"on"', True),
        ("0", False),
        ('"off"', False),
        ("null", None),
    ],
)
def test_a_flag_may_have_other_values(value: str, flag: bool | None, extract: Extract) -> None:
    mapping = {**EUR, "auto_recharge_enabled": {"path": "f", "true": [1, "on"], "false": [0, "off"]}}
    ((wallet,), notes) = extract(mapping, f'{{"b": 1, "f": {value}}}')
    assert (wallet.auto_recharge_enabled, notes) == (flag, ())


@pytest.mark.parametrize("value", ["2", '"ON"', '"1"', '""', "[]"])
def test_any_other_value_is_no_flag(value: str, extract: Extract) -> None:
    mapping = {**EUR, "auto_recharge_enabled": {"path": "f", "true": [1, "on"], "false": [0, "off"]}}
    ((wallet,), (note,)) = extract(mapping, f'{{"b": 1, "f": {value}}}')
    assert wallet.auto_recharge_enabled is None
    assert note.startswith("wallet.auto_recharge_enabled is neither true nor false: ")


def test_an_optional_path_that_does_not_fit_costs_its_field_alone(extract: Extract) -> None:
    ((wallet,), notes) = extract({**EUR, "quota": "max(q)"}, '{"b": 1, "q": "many"}')
    said = "wallet.quota cannot be found: another kind of value at max(q); left out"
    assert (wallet.balance, wallet.quota, notes) == (1, None, (said,))

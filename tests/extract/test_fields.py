"""What becomes of the other fields of a wallet: times, texts, currencies, flags."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

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


def test_an_optional_path_that_does_not_fit_costs_its_field_alone(extract: Extract) -> None:
    ((wallet,), notes) = extract({**EUR, "quota": "sum(q)"}, '{"b": 1, "q": "many"}')
    said = "wallet.quota cannot be looked for: another kind of value at sum(q); left out"
    assert (wallet.balance, wallet.quota, notes) == (1, None, (said,))

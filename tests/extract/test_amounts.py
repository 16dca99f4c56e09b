"""What a field makes of what stands in an answer: one table, which reads like the specification of numbers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exporter.model import Failure, Reason

WHOLE = "is not a number: "
CASES: list[tuple[str, Any, str, str]] = [
    # the answer's value, the field, the amount or what is said instead, what the case is about
    ("12.5", {}, "12.5", "a JSON number"),
    ('"12.50"', {}, "12.50", "a numeric text"),
    ('" 12.50\\n"', {}, "12.50", "white space around it"),
    ('"+12"', {}, "12", "a sign"),
    ('"1e3"', {}, "1000", "an exponent"),
    ("0", {}, "0", "a real zero"),
    ("-0.0", {}, "0", "no negative zero"),
    ("-3.10", {}, "-3.10", "what is owed"),
    ("0.1000000000000000055511151231257827", {}, "0.1000000000000000055511151231257827", "every digit"),
    ("null", {}, "is missing: nothing at v", "null is no zero"),
    ('"unlimited"', {}, "is missing: nothing at v", "a word for no limit"),
    ('""', {}, WHOLE + "a text at v", "an empty text"),
    ('"1,234.50"', {}, WHOLE + "a text at v", "separators that the definition does not say"),
    ('"1 234"', {}, WHOLE + "a text at v", "the same"),
    ('"NaN"', {}, WHOLE + "a text at v", "no number"),
    ('"\u0661\u0662"', {}, WHOLE + "a text at v", "digits of another script"),
    ("true", {}, WHOLE + "true or false at v", "true is not 1"),
    ("[5]", {}, WHOLE + "a list at v", "a list of one"),
    ('{"amount": 5}', {}, WHOLE + "an object at v", "a field that became an object"),
    ("1e400", {}, "is beyond what a sample can hold: a number at v", "what a float would round to infinity"),
    ("1e-400", {}, "is beyond what a sample can hold: a number at v", "what a float would round to zero"),
    ("-1", {"invalid": [-1]}, "is missing: nothing at v", "a number that means nothing"),
    ("1250", {"scale": "0.01"}, "12.50", "cents"),
    ("-20", {"negate": True}, "20", "a debt"),
    ("-1250", {"scale": "0.01", "negate": True}, "12.50", "a debt in cents"),
    ("-1250", {"scale": "-0.01"}, "12.50", "the same by a negative factor"),
    ('"GBP -20.00"', {"pattern": "GBP (-?[0-9.]+)"}, "-20.00", "a text around it"),
    ('"GBP -20.00 "', {"pattern": "GBP (-?[0-9.]+)", "negate": True}, "20.00", "the same, as a debt"),
    ('"EUR 20.00"', {"pattern": "GBP (-?[0-9.]+)"}, WHOLE + "a text at v", "another text"),
    ("20.00", {"pattern": "GBP (-?[0-9.]+)"}, "20.00", "a number needs no pattern"),
    # value = sign x scale x path + plus - minus
    ("100", {"minus": "used"}, "90", "a pool less what is used of it"),
    ("-50", {"negate": True, "minus": "used"}, "40", "a credit of 50 with 10 pending"),
    ("-50", {"scale": -1, "minus": "used"}, "40", "the same by a negative factor"),
    ("50", {"negate": True, "minus": "used"}, "-60", "a debt of 50 with 10 pending"),
    ("5000", {"scale": "0.01", "minus": "used"}, "49.9", "what is taken off takes the scale"),
    ("-5000", {"scale": "-0.01", "minus": {"path": "used"}}, "49.9", "without its sign"),
    ("5000", {"scale": "0.01", "minus": {"path": "used", "scale": 1}}, "40", "or has its own"),
    ("-5000", {"scale": "0.01", "negate": True, "minus": {"path": "used", "scale": 1}}, "40", "all of it"),
    ("100", {"plus": ["more"]}, "125.5", "a part to add"),
    ("100", {"plus": "more"}, "125.5", "one part needs no list"),
    ("100", {"plus": ["more", {"path": "used", "scale": 2}]}, "145.5", "two parts"),
    ("-100", {"negate": True, "plus": ["more"], "minus": ["used", "used"]}, "105.5", "everything at once"),
    ("100", {"minus": {"path": ["nothing", "used"]}}, "90", "the first name that is there"),
    ("100", {"minus": "nothing"}, "is missing: nothing at nothing", "a part that is not there"),
    ("100", {"plus": ["more", "nothing"]}, "is missing: nothing at nothing", "the same"),
    ("100", {"minus": "text"}, WHOLE + "a text at text", "a part that is no number"),
    ("100", {"minus": "none", "invalid": [-1]}, "is missing: nothing at none", "a part that means nothing"),
    ("1.7e308", {"plus": ["huge"]}, "is beyond what a sample can hold: a sum at v", "a sum beyond all"),
]
REST = '"used": 10, "more": 25.5, "text": "n/a", "none": -1, "huge": 1e308'


@pytest.mark.parametrize(
    ("value", "field", "expected", "about"), CASES, ids=[f"{c[0]} {c[1]}" for c in CASES]
)
def test_an_amount_is_what_the_definition_says(
    value: str, field: Any, expected: str, about: str, extract: Callable[..., Any]
) -> None:
    answer = f'{{"v": {value}, {REST}}}'
    mapping = {"currency": {"literal": "EUR"}, "balance": {"path": "v", **field}}
    if expected[0].isdigit() or expected[0] == "-":
        ((wallet,), notes) = extract(mapping, answer)
        assert (str(wallet.balance), notes) == (str(Decimal(expected)), ()) or wallet.balance == Decimal(
            expected
        )
        return
    with pytest.raises(Failure) as caught:
        extract(mapping, answer)
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, f"wallet.balance {expected}"), (
        about
    )


@pytest.mark.parametrize(
    ("value", "field", "expected", "about"), CASES, ids=[f"{c[0]} {c[1]}" for c in CASES]
)
def test_an_optional_amount_is_the_same_or_left_out_and_named(
    value: str, field: Any, expected: str, about: str, extract: Callable[..., Any]
) -> None:
    answer = f'{{"b": 1, "v": {value}, {REST}}}'
    mapping = {"currency": {"literal": "EUR"}, "balance": "b", "quota": {"path": "v", **field}}
    ((wallet,), notes) = extract(mapping, answer)
    if expected[0].isdigit() or expected[0] == "-":
        assert (wallet.quota, notes) == (Decimal(expected), ())
    elif expected.startswith("is missing"):
        assert (wallet.quota, notes) == (None, ()), about
    else:
        assert (wallet.quota, notes) == (None, (f"wallet.quota {expected}; left out",))

"""What a field makes of what stands in an answer: one table, which reads like the specification of numbers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exporter.model import Failure, Reason

REST = """
  "used": 10, "more": 25.5, "text": "n/a", "none": -1, "huge": 1e308, "null": null,
  "list": [{"c": 1, "w": "x"}, {"c": "3.5", "w": "y"}], "half": [{"c": 1}, {"c": null}, {}], "plain": [1, 2, "3"],
  "empty": [], "nulls": [1, null], "object": {"c": 5}
"""
"""What stands beside the value `v` in every answer."""

NO_LIMIT = "no limit"
NONE = "is missing: nothing at v"
TEXT = "is not a number: a text at v"
BEYOND = "is beyond what a sample can hold"


def total(items: str, path: str = "c", **more: Any) -> dict[str, Any]:
    return {"path": None, "sum": {"items": items, "path": path, **more}}


CENTS, DEBT = {"scale": "0.01"}, {"negate": True}
GBP = {"pattern": "GBP (-?[0-9.]+)"}
COMMA, EUROPE, FRANCE = (
    {"grouping": ","},
    {"grouping": ".", "decimal": ","},
    {"grouping": " ", "decimal": ","},
)
MINOR = {"minor_units": "from_currency"}
EXCUSED: dict[str, Any] = {"missing": 0}

CASES: list[tuple[str, dict[str, Any], str, str]] = [
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
    ("null", {}, NONE, "null is no zero"),
    ('"unlimited"', {}, NONE, "a word for no limit that the definition does not know"),
    ('""', {}, TEXT, "an empty text"),
    ('"1,234.50"', {}, TEXT, "separators that the definition does not know"),
    ('"1 234"', {}, TEXT, "the same"),
    ('"NaN"', {}, TEXT, "no number"),
    ('"\u0661\u0662"', {}, TEXT, "digits of another script"),
    ("true", {}, "is not a number: true or false at v", "true is not 1"),
    ("[5]", {}, "is not a number: a list at v", "a list of one"),
    ('{"amount": 5}', {}, "is not a number: an object at v", "a field that became an object"),
    ("1e400", {}, f"{BEYOND}: a number at v", "what a float would round to infinity"),
    ("1e-400", {}, f"{BEYOND}: a number at v", "what a float would round to zero"),
    ("-1", {"invalid": [-1]}, NONE, "a number that means nothing"),
    # sign x scale
    ("1250", CENTS, "12.50", "cents"),
    ("-20", DEBT, "20", "a debt"),
    ("-1250", {**CENTS, **DEBT}, "12.50", "a debt in cents"),
    ("-1250", {"scale": "-0.01"}, "12.50", "the same by a negative factor"),
    ("1e308", {"scale": 1000}, BEYOND, "a product beyond all"),
    # a text around the number
    ('"GBP -20.00"', GBP, "-20.00", "a currency before it"),
    ('"GBP -20.00 "', {**GBP, **DEBT}, "20.00", "the same, as a debt"),
    ('"EUR 20.00"', GBP, TEXT, "another text"),
    ("20.00", GBP, "20.00", "a number needs no pattern"),
    # + plus - minus
    ("100", {"minus": "used"}, "90", "a pool less what is used of it"),
    ("-50", {**DEBT, "minus": "used"}, "40", "a credit of 50 with 10 pending"),
    ("-50", {"scale": -1, "minus": "used"}, "40", "the same by a negative factor"),
    ("50", {**DEBT, "minus": "used"}, "-60", "a debt of 50 with 10 pending"),
    ("5000", {**CENTS, "minus": "used"}, "49.9", "what is taken off has the scale"),
    ("-5000", {"scale": "-0.01", "minus": {"path": "used"}}, "49.9", "without its sign"),
    ("5000", {**CENTS, "minus": {"path": "used", "scale": 1}}, "40", "or its own"),
    ("-5000", {**CENTS, **DEBT, "minus": {"path": "used", "scale": 1}}, "40", "all of it"),
    ("100", {"minus": {"path": "none", "scale": -1}}, "99", "what is given as a negative number"),
    ("100", {"plus": ["more"]}, "125.5", "a part to add"),
    ("100", {"plus": "more"}, "125.5", "one part needs no list"),
    ("100", {"plus": ["more", {"path": "used", "scale": 2}]}, "145.5", "two parts"),
    ("-100", {**DEBT, "plus": ["more"], "minus": ["used", "used"]}, "105.5", "everything at once"),
    ("100", {"minus": {"path": ["nothing", "used"]}}, "90", "the first name that is there"),
    ("100", {"minus": "nothing"}, "is missing: nothing at nothing", "a part that is not there"),
    ("100", {"plus": ["more", "nothing"]}, "is missing: nothing at nothing", "the same"),
    ("100", {"minus": "text"}, "is not a number: a text at text", "a part that is no number"),
    ("100", {"minus": "none", "invalid": [-1]}, "is missing: nothing at none", "a part that means nothing"),
    ("1.7e308", {"plus": ["huge"]}, BEYOND, "a sum beyond all"),
    ("100", {"minus": {"path": "nothing", **EXCUSED}}, "100", "a part that is documented to be left out"),
    ("100", {"minus": {"path": "null", **EXCUSED}}, "100", "or to be null"),
    ("100", {"minus": {"path": "used", **EXCUSED}}, "90", "counts where it is there"),
    ("100", {"minus": {"path": "text", **EXCUSED}}, "is not a number: a text at text", "and is read as ever"),
    (
        "100",
        {"minus": {"path": "none", **EXCUSED}, "invalid": [-1]},
        "is missing: nothing at none",
        "and means something",
    ),
    # sums of lists
    ("null", total("list"), "4.5", "a sum"),
    ("null", {**total("list"), **CENTS}, "0.045", "in cents"),
    ("null", {**total("list"), **DEBT}, "-4.5", "of debts"),
    ("null", total("plain", "@"), "6", "a list of numbers"),
    ("null", total("empty"), "0", "an empty list is 0"),
    ("null", total("list", "d"), "is missing: nothing at list[].d", "a renamed field"),
    ("null", total("half"), "is missing: nothing at half[].c", "an item without it"),
    ("null", total("half", **EXCUSED), "1", "which is documented"),
    ("null", total("list", "w"), "is not a number: a text at list[].w", "an item that cannot be read"),
    ("null", total("list", "w", **EXCUSED), "is not a number: a text at list[].w", "which nothing excuses"),
    ("null", total("null"), "is missing: nothing at null", "null in place of the list"),
    ("null", total("nothing", **EXCUSED), "is missing: nothing at nothing", "nothing in its place"),
    ("null", total("object"), "is not a list: an object at object", "an object in its place"),
    ("null", total("text"), "is not a list: a text at text", "a text in its place"),
    ("null", total("nulls", "@"), "is missing: nothing at nulls[]", "a null is no amount"),
    ("null", {**total("list"), "minus": {"sum": {"items": "plain"}}}, "-1.5", "less another sum"),
    (
        "10",
        {"minus": {"sum": {"items": "nothing"}, **EXCUSED}},
        "10",
        "less one that is documented to be left out",
    ),
    # no limit
    ("-1", {"unlimited": [-1]}, NO_LIMIT, "a number for no limit"),
    ('"-1"', {"unlimited": [-1]}, NO_LIMIT, "counts as text too"),
    ('"-1.0"', {"unlimited": [-1]}, NO_LIMIT, "however it is spelt"),
    ("-1", {"unlimited": ["-1"]}, NO_LIMIT, "a text that is a number counts as the number"),
    ('" none "', {"unlimited": [None, -1, "none"]}, NO_LIMIT, "a word for it"),
    ("null", {"unlimited": [None]}, NO_LIMIT, "a null that is there"),
    ("5", {"unlimited": [None, -1, "none"]}, "5", "a limit"),
    ('"None"', {"unlimited": ["none"]}, TEXT, "another word"),
    ("1", {"unlimited": [True]}, "1", "1 is not true"),
    ("true", {"unlimited": [True]}, NO_LIMIT, "true is"),
    ("-1", {"unlimited": [-100], "scale": 100}, "-100", "compared before the scale"),
    ("99999999", {"unlimited_above": 99999998}, NO_LIMIT, "a number that stands for no limit"),
    ('"100000000"', {"unlimited_above": 99999998}, NO_LIMIT, "as text"),
    ("99999998", {"unlimited_above": 99999998}, "99999998", "one that does not"),
    ("-1", {"unlimited": [-1], "minus": "nothing"}, NO_LIMIT, "ends the computation"),
    (
        "100",
        {"unlimited": [10], "minus": "used"},
        "is not a number: no limit at used",
        "is nothing to take off",
    ),
    ('"EUR -1"', {"pattern": "EUR (-?[0-9]+)", "unlimited": [-1]}, NO_LIMIT, "in a text"),
    ("null", {**total("plain", "@"), "unlimited": [3]}, NO_LIMIT, "in a sum"),
    # smallest units
    ("1250", MINOR, "12.50", "EUR has two digits"),
    ("-1250", {**MINOR, **DEBT, "minus": "used"}, "12.40", "with all the rest"),
    ("1250", {**MINOR, "minor_digits": {"EUR": 3}}, "1.250", "or three at one provider"),
    # groups of three
    ('"1,234.50"', COMMA, "1234.50", "groups"),
    ('"-1,234,567"', {**COMMA, "decimal": "."}, "-1234567", "and no fraction"),
    ('"1234.50"', COMMA, "1234.50", "no separator at all"),
    ('"1.234,50"', EUROPE, "1234.50", "as in Europe"),
    ('"1 234,50"', FRANCE, "1234.50", "as in France"),
    ('"1\\u202f234,50"', {"grouping": "\u202f", "decimal": ","}, "1234.50", "with a space of its own"),
    ('"1234,5"', {"decimal": ","}, "1234.5", "a decimal comma alone"),
    ('"1,23"', COMMA, TEXT, "no group of three"),
    ('"1,2345"', COMMA, TEXT, "the same"),
    ('"1234,567"', COMMA, TEXT, "a first group of four"),
    ('",123"', COMMA, TEXT, "no first group"),
    ('"1,,234"', COMMA, TEXT, "an empty group"),
    ('"1,234."', COMMA, TEXT, "no digit after the point"),
    ('".50"', COMMA, TEXT, "no digit before it"),
    ('"1.234.50"', EUROPE, TEXT, "the other way round"),
    ('"1.23"', EUROPE, TEXT, "a point that groups nothing"),
    ('"1,234.50"', EUROPE, TEXT, "another country's way"),
    ('"1e3"', COMMA, TEXT, "no exponent beside groups"),
    ("1234.5", EUROPE, "1234.5", "a JSON number is one"),
]


IDS = [f"{value} {field}" for value, field, *_ in CASES]


def is_number(expected: str) -> bool:
    return expected[0].isdigit() or expected[0] == "-"


@pytest.mark.parametrize(("value", "field", "expected", "about"), CASES, ids=IDS)
def test_an_amount_is_what_the_definition_says(
    value: str, field: Any, expected: str, about: str, extract: Callable[..., Any]
) -> None:
    mapping = {"currency": {"literal": "EUR"}, "balance": {"path": "v", **field}}
    answer = f'{{"v": {value}, {REST}}}'
    if is_number(expected):
        ((wallet,), notes) = extract(mapping, answer)
        assert (wallet.balance, notes) == (Decimal(expected), ()), about
        assert not (wallet.balance == 0 and wallet.balance.is_signed())
    elif expected == NO_LIMIT:
        ((wallet,), notes) = extract(mapping, answer)
        assert (wallet.balance, notes) == (None, ()), about
    else:
        with pytest.raises(Failure) as caught:
            extract(mapping, answer)
        assert caught.value.reason == Reason.MALFORMED
        assert caught.value.detail == f"wallet.balance {expected}", about


@pytest.mark.parametrize(("value", "field", "expected", "about"), CASES, ids=IDS)
def test_an_optional_amount_is_the_same_or_left_out_and_named(
    value: str, field: Any, expected: str, about: str, extract: Callable[..., Any]
) -> None:
    mapping = {"currency": {"literal": "EUR"}, "balance": "b", "quota": {"path": "v", **field}}
    ((wallet,), notes) = extract(mapping, f'{{"b": 1, "v": {value}, {REST}}}')
    if is_number(expected):
        assert (wallet.quota, notes) == (Decimal(expected), ()), about
    elif expected == NO_LIMIT or expected.startswith("is missing"):
        assert (wallet.quota, notes) == (None, ()), about
    else:
        assert (wallet.quota, notes) == (None, (f"wallet.quota {expected}; left out",)), about


@pytest.mark.parametrize(
    ("answer", "unlimited"),
    [
        ('{"data": {"balance": null}}', True),
        ('{"data": {"balance": 5}}', False),
        ('{"data": {}}', None),
        ('{"data": null}', None),
        ('{"data": []}', None),
        ('{"data": "balance"}', None),
        ("{}", None),
    ],
)
def test_null_means_no_limit_only_where_it_is_there(
    answer: str, unlimited: bool | None, extract: Callable[..., Any]
) -> None:
    mapping = {"currency": {"literal": "EUR"}, "balance": {"path": "data.balance", "unlimited": [None]}}
    if unlimited is None:
        with pytest.raises(Failure, match=r"^malformed: wallet.balance is missing: nothing at data.balance$"):
            extract(mapping, answer)
        return
    ((wallet,), _) = extract(mapping, answer)
    assert (wallet.balance is None) is unlimited


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("eur", "12.34"),
        ("JPY", "1234"),
        ("KWD", "1.234"),
        ("ISK", "12.34"),
        ("UGX", "1234"),
        ("CLF", "0.1234"),
    ],
)
def test_smallest_units_are_those_of_the_wallet_s_currency(
    currency: str, amount: str, extract: Callable[..., Any]
) -> None:
    field = {"path": "b", **MINOR, "minor_digits": {"ISK": 2}}
    ((wallet,), _) = extract({"currency": "c", "balance": field}, f'{{"b": 1234, "c": "{currency}"}}')
    assert wallet.balance == Decimal(amount)


@pytest.mark.parametrize("currency", ["CREDITS", "ZZZ", "XAU"])
def test_an_amount_in_smallest_units_of_no_currency_is_malformed(
    currency: str, extract: Callable[..., Any]
) -> None:
    said = "malformed: wallet.balance is counted in the smallest units of a currency that is not in ISO 4217"
    field = {"path": "b", **MINOR}
    for mapping, answer in (
        ({"currency": "c", "balance": field}, f'{{"b": 1234, "c": "{currency}"}}'),
        ({"balance": field}, '{"b": 1234}'),
    ):
        with pytest.raises(Failure) as caught:
            extract(mapping, answer, currency)
        assert str(caught.value) == said

"""Which fields an answer has lost: those that are not there, and none of which the provider says that there is none."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter import providers
from exporter.extract.extractor import Extractor
from exporter.model import FieldAnswers
from exporter.providers.definition import Definition

Define = Callable[..., Definition]


def lost(definition: Definition, before: Any, after: Any) -> set[str]:
    """Read one answer after the other; return what the one wallet of the second has lost."""
    extractor = Extractor(definition)
    first = FieldAnswers()
    ((wallet,), _) = extractor.wallets(before, "EUR", (), first)
    second = FieldAnswers(first.given)
    extractor.wallets(after, "EUR", (), second)
    assert not first.lost
    found = second.lost.get(wallet.key, frozenset())
    assert not found & second.given[wallet.key].keys()
    return set(found)


@pytest.mark.parametrize(
    ("path", "before", "after", "is_lost"),
    [
        ("q", {"q": 5}, {}, True),
        ("q", {"q": 5}, {"q": None}, False),
        ("q", {"q": 5}, {"q": "unlimited"}, False),
        ("q", {"q": 5}, {"q": "many"}, True),
        ("q", {"q": 5}, {"q": ""}, True),
        ("q", {"q": 5}, {"q": {}}, True),
        ("q", {"q": 5}, {"q": 7}, False),
        ("a.q", {"a": {"q": 5}}, {"a": {}}, True),
        ("a.q", {"a": {"q": 5}}, {}, True),
        ("a.q", {"a": {"q": 5}}, {"a": {"q": None}}, False),
        ("a.q", {"a": {"q": 5}}, {"a": None}, False),
        ("a.q", {"a": {"q": 5}}, {"a": "none"}, True),
        ("a.q", {"a": {"q": 5}}, {"a": []}, True),
        (["new", "old"], {"old": 5}, {}, True),
        (["new", "old"], {"old": 5}, {"old": None}, False),
        (["new", "old"], {"old": 5}, {"new": None}, False),
        (["new", "old"], {"old": 5}, {"new": 5}, False),
        ("a || q", {"q": 5}, {}, True),
        ("a || q", {"q": 5}, {"a": None}, False),
        ("a && q", {"a": 1, "q": 5}, {"q": 5}, True),
        ("a && q", {"a": 1, "q": 5}, {"a": None, "q": 5}, False),
        ("a && q", {"a": 1, "q": 5}, {"a": 1}, True),
        ("l[0].q", {"l": [{"q": 5}]}, {"l": [{"r": 5}]}, True),
        ("l[0].q", {"l": [{"q": 5}]}, {"l": [{"q": None}]}, False),
        ("l[0].q", {"l": [{"q": 5}]}, {"l": []}, False),
        ("l[0].q", {"l": [{"q": 5}]}, {}, True),
        ("l[*].q | [0]", {"l": [{"q": 5}]}, {"l": [{}]}, True),
        ("l[*].q | [0]", {"l": [{"q": 5}]}, {"l": [{"q": None}]}, False),
        ("l[*].q | [0]", {"l": [{"q": 5}]}, {"l": []}, False),
        ("l[*].q | [0]", {"l": [{"q": 5}]}, {"l": {}}, False),
        ("l[*].q | [0]", {"l": [{"q": 5}]}, {"l": {"x": 1}}, True),
        ("l[].m[].q | [0]", {"l": [{"m": [{"q": 5}]}]}, {"l": [{"m": [{}]}]}, True),
        ("l[].m[].q | [0]", {"l": [{"m": [{"q": 5}]}]}, {"l": [{}]}, True),
        ("l[].m[].q | [0]", {"l": [{"m": [{"q": 5}]}]}, {"l": [{"m": []}]}, False),
        ("o.*.q | [0]", {"o": {"x": {"q": 5}}}, {"o": {"x": {}}}, True),
        ("o.*.q | [0]", {"o": {"x": {"q": 5}}}, {"o": {"x": {"q": None}}}, False),
        ("l[?k=='a'].q | [0]", {"l": [{"k": "a", "q": 5}]}, {"l": [{"k": "b", "q": 5}]}, False),
        ("l[?k=='a'].q | [0]", {"l": [{"k": "a", "q": 5}]}, {"l": [{"q": 5}]}, True),
        ("l[?k=='a'].q | [0]", {"l": [{"k": "a", "q": 5}]}, {"l": [{"k": "a"}]}, True),
        ("l[?k=='a'].q | [0]", {"l": [{"k": "a", "q": 5}]}, {"l": [{"k": "a", "q": None}]}, False),
        ("l[?k!='a'].q | [0]", {"l": [{"q": 5}]}, {"l": [{"k": "a", "q": 5}]}, False),
        ("l[?!k].q | [0]", {"l": [{"q": 5}]}, {"l": [{"k": 1, "q": 5}]}, False),
        ("l[?k=='a' && m].q | [0]", {"l": [{"k": "a", "m": 1, "q": 5}]}, {"l": [{"k": "b", "q": 5}]}, False),
        ("l[?k=='a' && m].q | [0]", {"l": [{"k": "a", "m": 1, "q": 5}]}, {"l": [{"k": "a", "q": 5}]}, True),
        ("l[?contains(`[null, 1]`, k)].q | [0]", {"l": [{"q": 5}]}, {"l": [{"k": 2, "q": 5}]}, False),
        ("to_number(q)", {"q": "5"}, {}, True),
        ("to_number(q)", {"q": "5"}, {"q": None}, False),
        ("max(l[].q)", {"l": [{"q": 5}]}, {"l": []}, False),
        ("max(l[].q)", {"l": [{"q": 5}]}, {}, True),
    ],
)
def test_a_number_is_lost_where_it_is_not_there_or_cannot_be_read(
    path: Any, before: Any, after: Any, is_lost: bool, define: Define
) -> None:
    definition = define(wallets={"currency": {"literal": "EUR"}, "balance": "b", "quota": {"path": path}})
    expected = {"quota"} if is_lost else set()
    assert lost(definition, {"b": 1, **before}, {"b": 1, **after}) == expected


@pytest.mark.parametrize(
    ("field", "before", "after", "is_lost"),
    [
        ({"quota": {"path": "q", "invalid": [-1]}}, 5, -1, False),
        ({"expiry_timestamp": "q"}, "2027-01-31", "0001-01-01T00:00:00Z", False),
        ({"expiry_timestamp": "q"}, "2027-01-31", "never", True),
        ({"expiry_timestamp": {"path": "q", "format": "unix"}}, 1801353600, 0, False),
        ({"auto_recharge_enabled": "q"}, True, "yes", True),
        ({"auto_recharge_enabled": "q"}, True, False, False),
        ({"status": {"path": "q", "states": ["active"]}}, "active", "frozen", False),
        ({"status": {"path": "q", "states": ["active"]}}, "active", "", False),
        ({"status": {"path": "q", "states": ["active"]}}, "active", 7, True),
        ({"name": "q"}, "Main", "", False),
        ({"name": "q"}, "Main", "x" * 1000, True),
        ({"thresholds": {"critical": "q"}}, 5, 0, False),
    ],
)
def test_a_value_that_says_that_there_is_none_is_an_answer(
    field: dict[str, Any], before: Any, after: Any, is_lost: bool, define: Define
) -> None:
    definition = define(wallets={"currency": {"literal": "EUR"}, "balance": "b", **field})
    assert bool(lost(definition, {"b": 1, "q": before}, {"b": 1, "q": after})) == is_lost
    assert lost(definition, {"b": 1, "q": before}, {"b": 1}) != set(), "its name is another now"


@pytest.mark.parametrize(
    ("after", "is_lost"),
    [({"q": 5}, True), ({"q": 5, "u": None}, False), ({"q": 5, "u": "?"}, True), ({"q": 5, "u": 2}, False)],
)
def test_a_part_that_is_not_there_loses_the_whole(after: Any, is_lost: bool, define: Define) -> None:
    mapping = {"currency": {"literal": "EUR"}, "balance": "b", "quota": {"path": "q", "minus": "u"}}
    assert bool(lost(define(wallets=mapping), {"b": 1, "q": 5, "u": 1}, {"b": 1, **after})) == is_lost


def test_what_was_never_given_is_not_lost(define: Define) -> None:
    mapping = {"currency": {"literal": "EUR"}, "balance": "b", "quota": "q", "customer": "c"}
    assert lost(define(wallets=mapping), {"b": 1, "c": "me"}, {"b": 1, "q": "?"}) == {"customer"}


def test_fields_have_the_names_of_the_definition(define: Define) -> None:
    mapping = {
        "currency": {"literal": "EUR"},
        "balance": "b",
        "thresholds": {"critical": "c"},
        "credit_breakdown": {"free": "f"},
        "status": {"path": "s", "states": ["active"]},
    }
    full = {"b": 1, "c": 1, "f": 1, "s": "active"}
    assert lost(define(wallets=mapping), full, {"b": 1}) == {
        "thresholds.critical",
        "credit_breakdown.free",
        "status",
    }


def test_another_wallet_has_lost_nothing(define: Define) -> None:
    mapping = {"items": "w", "id": "id", "currency": {"literal": "EUR"}, "balance": "b", "quota": "q"}
    extractor = Extractor(define(wallets=mapping))
    answers = FieldAnswers({("one", "EUR"): {"quota": 0}, ("two", "USD"): {"quota": 0}})
    extractor.wallets({"w": [{"id": "one", "b": 1}, {"id": "two", "b": 1}]}, None, (), answers)
    assert answers.lost == {("one", "EUR"): {"quota"}}


SETTINGS = {"condition": "below", "threshold": "25"}
FLEXPRICE: dict[str, Any] = {
    "id": "w1",
    "currency": "usd",
    "balance": "9",
    "alert_settings": {"alert_enabled": True, "critical": SETTINGS},
}


@pytest.mark.parametrize(
    ("settings", "is_lost"),
    [
        ({"alert_enabled": False, "critical": SETTINGS}, False),
        ({"alert_enabled": True, "critical": None}, False),
        ({"alert_enabled": True, "critical": {**SETTINGS, "condition": "above"}}, False),
        ({"alert_enabled": True, "critical": {**SETTINGS, "type": "percentage"}}, False),
        ({"alert_enabled": True, "critical": SETTINGS}, False),
        ({"critical": SETTINGS}, False),
        (None, False),
        ({"alert_enabled": True, "low": SETTINGS}, True),
        ({"alert_enabled": True, "critical": {"condition": "below", "limit": "25"}}, True),
        ({"alert_enabled": True, "critical": {"threshold": "25"}}, True),
        ({"alert_enabled": True, "critical": {**SETTINGS, "threshold": "soon"}}, True),
    ],
)
def test_flexprice_s_alerts_that_are_switched_off_are_an_answer(settings: Any, is_lost: bool) -> None:
    definition = providers.built_in("flexprice").definition
    after = {**FLEXPRICE, "alert_settings": settings}
    assert ("thresholds.critical" in lost(definition, [FLEXPRICE], [after])) == is_lost


def test_flexprice_s_alerts_that_are_gone_are_lost() -> None:
    definition = providers.built_in("flexprice").definition
    after = {key: value for key, value in FLEXPRICE.items() if key != "alert_settings"}
    assert lost(definition, [FLEXPRICE], [after]) == {"thresholds.critical"}

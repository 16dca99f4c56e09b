"""JMESPath over documents with exact numbers."""

from decimal import Decimal
from typing import Any

import pytest

from exporter.extract.expressions import Expression, Interpreter
from exporter.model import Failure, Reason

DOCUMENT = {
    "text": "0.1",
    "word": "ten",
    "exact": Decimal("0.1"),
    "whole": 7,
    "flag": True,
    "list": [Decimal("1.5"), 2],
    "long": Decimal("-1.234567890123456789012345678901234567890"),
    "parts": [Decimal("0.1"), Decimal("123456789012345678901234567890.5")],
    "rows": [{"rate": Decimal("1.5"), "v": "b"}, {"rate": Decimal("0.1"), "v": "a"}],
    "odd": ["NaN", "sNaN", "Infinity", "1_000", " 1", "\u0661"],
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("to_number(text)", Decimal("0.1")),
        ("to_number(exact)", Decimal("0.1")),
        ("to_number(whole)", 7),
        ("to_number(word)", None),
        ("to_number(flag)", None),
        ("to_number(nothing)", None),
        ("sum(list)", Decimal("3.5")),
        ("max(list)", 2),
        ("abs(exact)", Decimal("0.1")),
        ("exact > `0`", True),
        ("exact < `0.2`", True),
        ("whole == `7`", True),
        ("exact == `0.1`", True),
        ("rows[?rate == `0.1`].v | [0]", "a"),
        ('`{"a": [1.10]}`.a[0]', Decimal("1.10")),
        ("abs(long)", Decimal("1.234567890123456789012345678901234567890")),
        ("sum(parts)", Decimal("123456789012345678901234567890.6")),
        ("sum(rows[*].rate)", Decimal("1.6")),
        ("sort_by(rows, &rate)[0].v", "a"),
        ("max_by(rows, &rate).v", "b"),
        ("min_by(rows, &rate).v", "a"),
        ("odd[*].to_number(@)", []),
        ("text || word", "0.1"),
        ("list[1:]", [2]),
        ("contains(list, `1.50`)", True),
    ],
)
def test_numbers_stay_exact_through_expressions(expression: str, value: Any) -> None:
    assert Expression(expression).search(DOCUMENT, Interpreter()) == value


def test_an_expression_that_does_not_fit_the_answer_says_so_without_quoting_it() -> None:
    with pytest.raises(ValueError, match="does not fit the answer") as caught:
        Expression("sum(word)").search(DOCUMENT, Interpreter())
    assert "ten" not in str(caught.value)


MANY: dict[str, Any] = {"list": [{"id": number} for number in range(20_000)], "text": "x" * 500_000}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("list[*].[id]", id="a list once"),
        pytest.param("list[?id > `10000`] | [0].id", id="a filter"),
        pytest.param("sort_by(list, &id)[0]", id="sorted"),
        pytest.param("length(join(',', list[*].to_string(id)))", id="joined"),
        pytest.param("contains(text, 'y')", id="a long text"),
    ],
)
def test_what_looks_at_every_item_once_is_done(expression: str) -> None:
    Expression(expression).search(MANY, Interpreter())


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(f"list[?contains(`{list(range(500))}`, id)]", id="each item looked up in a list"),
        pytest.param(f"list[?sort(`{list(range(500))}`)]", id="a list sorted for each item"),
        pytest.param(" | ".join(["[@, @] | []"] * 40), id="a list doubled again and again"),
        pytest.param(" | ".join(["[@, @]"] * 40) + " | to_string(@)", id="a text doubled again and again"),
        pytest.param(" | ".join(["[@, @]"] * 40) + " | [0] == [1]", id="twins compared"),
    ],
)
def test_what_would_look_at_every_item_for_every_item_is_given_up(expression: str) -> None:
    with pytest.raises(Failure, match="take too long over this answer") as caught:
        Expression(expression).search(MANY, Interpreter())
    assert caught.value.reason is Reason.TIMEOUT


def test_expressions_share_the_steps_of_one_answer() -> None:
    few = {"list": MANY["list"][:100]}
    interpreter, look_up = Interpreter({"$": few}, steps=10_000), Expression('"$".list[?id == `3`]')
    assert look_up.search(few["list"][0], interpreter) == [{"id": 3}]
    with pytest.raises(Failure, match="take too long over this answer"):
        [look_up.search(item, interpreter) for item in few["list"]]

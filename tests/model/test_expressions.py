"""JMESPath over documents with exact numbers."""

from decimal import Decimal
from typing import Any

import pytest

from exporter.extract.expressions import search
from exporter.extract.values import contains_secret
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
    ],
)
def test_numbers_stay_exact_through_expressions(expression: str, value: Any) -> None:
    assert search(expression)(DOCUMENT) == value


def test_an_expression_that_does_not_fit_the_answer_makes_it_malformed() -> None:
    with pytest.raises(Failure) as caught:
        search("sum(word)")(DOCUMENT)
    assert caught.value.reason is Reason.MALFORMED
    assert "ten" not in caught.value.detail


@pytest.mark.parametrize(
    ("text", "echoed"),
    [
        ("wallet", False),
        ("K", True),
        ("my-long-key-1 is here", True),
        ("MY-LONG-KEY-1", True),
        ("my-long-key", False),
    ],
)
def test_a_trials_short_key_is_not_found_in_every_word(text: str, echoed: bool) -> None:
    assert contains_secret(text, ("k", "my-long-key-1")) is echoed

"""Numbers that are read from what stands in an answer."""

from decimal import Decimal

import pytest

from exporter.extract.values import number
from exporter.providers.mapping import Number


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity"])
def test_what_is_not_finite_is_no_amount(amount: str) -> None:
    with pytest.raises(ValueError, match="beyond what a sample can hold"):
        number(Decimal(amount), Number(path=["@"]))


@pytest.mark.parametrize(
    ("text", "amount"),
    [("EUR 12.50", Decimal("12.50")), (" EUR 1 ", 1), ("EUR 100000", None), ("EUR 12.50 and more", None)],
)
def test_a_pattern_describes_the_whole_text(text: str, amount: Decimal | None) -> None:
    spec = Number(path=["@"], pattern=r"EUR ([0-9]{1,3}(?:\.[0-9]{2})?)")
    if amount is None:
        with pytest.raises(ValueError, match="is not a number"):
            number(text, spec)
    else:
        assert number(text, spec) == amount


def test_a_pattern_is_not_tried_on_a_long_text() -> None:
    spec = Number(path=["@"], pattern="x*([0-9])")
    assert number("x" * 100 + "1", spec) == 1
    with pytest.raises(ValueError, match="is not a number"):
        number("x" * 100_000 + "1", spec)

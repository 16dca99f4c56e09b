"""Amounts are exact to the last digit, and none is invented: least of all a zero."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.extract import values
from exporter.extract.documents import parse
from exporter.extract.values import total
from exporter.providers.mapping import Number

pytestmark = pytest.mark.unmeasured

LAW = settings(deadline=None, database=None)
PLAIN = Number(path=["@"])
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda one: not one or 0 < abs(float(one)) < float("inf")
)
SCALES = st.sampled_from([Decimal(1), Decimal("0.01"), Decimal("0.000001"), Decimal(1000)])


def number(value: Any, spec: Number) -> Decimal | None:
    read = values.number(value, spec)
    assert read is None or isinstance(read, Decimal)
    return read


def spelt(amount: Decimal) -> Decimal | None:
    return number(parse(f'{{"v": {amount}}}'.encode())["v"], PLAIN)


@LAW
@given(AMOUNTS)
@example(Decimal("3334.95"))
@example(Decimal("0.10000000000000000000000000000000000000001"))
@example(Decimal("-1E-310"))
@example(Decimal("1.7E+308"))
@example(Decimal(10**60 + 1))
def test_an_amount_is_read_to_its_last_digit_as_a_number_and_as_text(amount: Decimal) -> None:
    assert spelt(amount) == amount
    assert number(str(amount), PLAIN) == amount
    assert number(f" {amount:f}\n", PLAIN) == amount


@LAW
@given(st.integers())
@example(0)
@example(10**308)
@example(10**4299)
def test_a_whole_number_is_read_exactly_or_refused(whole: int) -> None:
    try:
        assert spelt(Decimal(whole)) == whole
    except ValueError:
        assert abs(whole) >= 2**1024 - 2**970


@LAW
@given(AMOUNTS, SCALES, st.sampled_from([1, -1]))
@example(Decimal("1E-307"), Decimal("0.01"), 1)
@example(Decimal("1E-307"), Decimal("1E-30"), 1)
@example(Decimal("1E+307"), Decimal(1000), 1)
@example(Decimal("12345678901234567890123456789.01"), Decimal("0.01"), -1)
def test_a_sample_is_zero_exactly_where_the_provider_said_zero(
    amount: Decimal, scale: Decimal, sign: int
) -> None:
    try:
        value = number(amount, Number(path=["@"], scale=scale, negate=sign < 0))
    except ValueError:
        assert amount != 0
        return

    assert value is not None
    assert Fraction(value) == sign * Fraction(amount) * Fraction(scale)
    assert (float(value) == 0) == (amount == 0)
    assert abs(float(value)) != float("inf")


@LAW
@given(AMOUNTS, AMOUNTS)
@example(Decimal("1E+307"), Decimal("1E-307"))
@example(Decimal("9.9E+307"), Decimal("-9.9E+307"))
def test_a_difference_is_exact_and_zero_only_between_equals(amount: Decimal, less: Decimal) -> None:
    try:
        value = total(amount, (), [less])
    except ValueError:
        assert amount != less
        return

    assert Fraction(value) == Fraction(amount) - Fraction(less)
    assert (float(value) == 0) == (amount == less)
    assert abs(float(value)) != float("inf")


@LAW
@given(
    st.one_of(st.text(), st.booleans(), st.lists(st.integers()), st.dictionaries(st.text(), st.integers()))
)
@example("1,234")
@example("1.234,56")
@example("1 234")
@example("1_000")
@example("1'000")
@example("\u0661\u0662")
@example("12 EUR")
@example("0x10")
@example("NaN")
@example("-Infinity")
@example("1e99999")
@example("--1")
@example("\ud800")
@example("")
def test_what_is_no_number_is_refused_and_never_zero(value: Any) -> None:
    try:
        amount = number(value, PLAIN)
    except ValueError:
        return

    assert isinstance(value, str)
    if amount is None:
        assert value.strip().lower() == "unlimited"
    else:
        assert set(value.strip()) <= set("0123456789.eE+-")
        assert amount == Decimal(value.strip())


@LAW
@given(st.sampled_from([None, "unlimited", " Unlimited "]))
def test_what_is_not_given_is_missing(value: str | None) -> None:
    assert number(value, PLAIN) is None


@LAW
@given(AMOUNTS)
def test_a_value_that_the_definition_calls_invalid_is_missing(amount: Decimal) -> None:
    assert number(amount, Number(path=["@"], invalid=[amount])) is None


@LAW
@given(st.binary() | st.text().map(str.encode))
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"v": 1e999999999999999999999}')
@example(b'{"v": NaN}')
@example(b"9" * 10_000)
def test_a_body_is_a_document_or_a_value_error(body: bytes) -> None:
    try:
        found = parse(body)
    except ValueError:
        return

    assert not isinstance(found, float)

"""How amounts are shown to people."""

from decimal import Decimal

import pytest

from exporter.scrape.amounts import shown


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("1663.88794592221", "1663.88"),
        ("1818.4832025885582", "1818.48"),
        ("120", "120"),
        ("118.2", "118.2"),
        ("1.999", "1.99"),
        ("0.6000", "0.6000"),
        ("0.42", "0.42"),
        ("0.123456", "0.1234"),
        ("0.99999", "0.9999"),
        ("0.00001234", "0.00001"),
        ("0.000000009", "0.000000009"),
        ("0", "0"),
        ("0.0000000", "0.00"),
        ("-0.00001", "-0.00001"),
        ("-0.12341", "-0.1235"),
        ("-5.001", "-5.01"),
        ("1E+3", "1000"),
        ("123456789012345678901234567890.129", "123456789012345678901234567890.12"),
    ],
)
def test_as_many_digits_as_people_want_and_never_more_money_than_there_is(amount: str, expected: str) -> None:
    assert shown(Decimal(amount), "EUR") == expected
    assert shown(Decimal(amount), "CREDITS") == expected


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1234.56", "JPY", "1234"),
        ("-1234.56", "JPY", "-1235"),
        ("1234.5678", "KWD", "1234.567"),
        ("1.23456", "CLF", "1.2345"),
        ("1.23456", "XAU", "1.23"),
        ("0.42", "JPY", "0.42"),
        ("0.123456", "KWD", "0.1234"),
        ("0.00", "JPY", "0"),
    ],
)
def test_a_currency_has_its_own_number_of_digits(amount: str, currency: str, expected: str) -> None:
    assert shown(Decimal(amount), currency) == expected

"""A pattern finds its part of a text, or gives up after a moment: no text can hold the process up."""

from typing import Any

import pytest
import regex

from exporter.schema.patterns import TooSlowError, find, number_pattern, text_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\s*([0-9]+\.[0-9]{2}) *€", " 12.50 €", "12.50"),
        (r"\s*([0-9]+\.[0-9]{2}) *€", "12.5 €", None),
        (r"EUR ([0-9]+)", "EUR 12 and more", None),
        (r"(?:EUR ([0-9]+))?", "", None),
        (r"(?i)eur ([0-9]+)", "EUR 12", "12"),
    ],
)
def test_a_pattern_describes_the_whole_text(pattern: str, text: str, found: str | None) -> None:
    assert find(number_pattern(pattern), text) == found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("((?:[0-9]|[0-9])+)x", "1" * 198 + "!x"),
        ("((?:[0-9]{1,100}){1,100})x", "1" * 198 + "!x"),
        ("(" + "[0-9]{0,100}" * 30 + ")x", "1" * 198 + "!x"),
    ],
)
def test_a_pattern_that_would_take_years_is_given_up(pattern: str, text: str) -> None:
    with pytest.raises(TooSlowError):
        find(number_pattern(pattern), text)


def test_a_machine_that_is_busy_makes_no_pattern_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    library = regex.fullmatch
    interrupted = iter([True, True, False])

    def fullmatch(*arguments: Any, **options: Any) -> Any:
        if next(interrupted):
            raise TimeoutError
        return library(*arguments, **options)

    monkeypatch.setattr("regex.fullmatch", fullmatch)
    assert find(r"EUR ([0-9]+)", "EUR 12") == "12"


@pytest.mark.parametrize(
    "pattern",
    [
        r"\s*\w*\s*\w*\s*\w*\s*([0-9]+)\s*\w*\s*\w*",
        r"\d*" * 8 + "([0-9]+)",
        "(?:1|11|111)?" * 25 + "([0-9]+)",
        "(?x)(?:[0-9]+)# a comment\n*([0-9]+)",
    ],
)
@pytest.mark.parametrize(
    "text", ["1" * 199 + "!", "1 " * 100, "a" * 200, " " * 199 + "!", "1" * 200, "1" * 201]
)
def test_patterns_that_were_seen_to_hold_a_process_up_end(pattern: str, text: str) -> None:
    """Either the library finishes, or its limit is reached: nothing else ends this test."""
    try:
        found = find(text_pattern(pattern), text)
    except TooSlowError:
        return
    assert found is None or found in text

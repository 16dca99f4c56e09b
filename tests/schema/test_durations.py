"""Durations are read as Prometheus writes them, and nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.schema import durations


@given(milliseconds=st.integers(min_value=0, max_value=10**12))
def test_a_duration_survives_writing_and_reading(milliseconds: int) -> None:
    text = durations.text(milliseconds / 1000)
    assert durations.parse(text) == pytest.approx(milliseconds / 1000, abs=1e-6)


@given(text=st.text() | st.from_regex(r"[0-9ywdhms. ]{1,12}"))
def test_any_other_text_is_no_duration(text: str) -> None:
    try:
        seconds = durations.parse(text)
    except ValueError as error:
        message = str(error)
    else:
        message = ""
        assert seconds >= 0
        assert text.isascii()
    assert message in ("", "is not a duration: write it as 500ms, 10s, 5m or 1h30m")


@pytest.mark.parametrize(
    "value", [True, False, None, 1, 1.5, [], {}, "1s1m", "1s1s", "1.5s", "-1s", " 1s", "1S", "٣s"]
)
def test_what_prometheus_would_not_take_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        durations.parse(value)

"""What is read is what was written: durations and YAML, for any value that can be written."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.schema import durations
from exporter.schema.yaml_document import dump, read

SAME_FOLDER = settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(lambda key: key != "<<"), inner, max_size=3)
    ),
    max_leaves=8,
)


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


@given(data=PLAIN)
@SAME_FOLDER
def test_plain_data_survives_writing_and_reading(data: object, tmp_path: Path) -> None:
    file = tmp_path / "data.yml"
    file.write_text(dump(data), encoding="utf-8")
    assert read(file).data == data


@given(
    word=st.from_regex(r"[A-Za-z0-9_+.][A-Za-z0-9_+.:-]{0,11}", fullmatch=True).filter(
        lambda word: word[-1] != ":"
    )
)
@SAME_FOLDER
def test_a_bare_word_stays_as_written_unless_it_is_plainly_a_number_or_a_truth_value(
    word: str, tmp_path: Path
) -> None:
    file = tmp_path / "word.yml"
    file.write_text(f"key: {word}\n", encoding="utf-8")
    value = read(file).data["key"]
    if value is None or isinstance(value, bool):
        assert word.lower() in ("null", "true", "false")
        assert word in (word.lower(), word.upper(), word.capitalize())
    else:
        assert str(value) == word

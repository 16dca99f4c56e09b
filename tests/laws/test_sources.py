"""Durations survive their own spelling, and a YAML file is plain data or an error that names it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.schema import durations
from exporter.schema.problems import ConfigurationError
from exporter.schema.yaml_document import read

LAW = settings(deadline=None, database=None)
DURATIONS = st.from_regex(r"([0-9]{1,4}(y|w|d|h|m|s|ms)?){1,4}", fullmatch=True)
WORDS = st.text(st.characters(categories=("L", "N", "P", "S"))).filter(lambda word: word != "<<")
PLAIN_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=20,
)
INDICATORS = "[]{}:,-?&*!|>%@`'\"#\n \t"
PIECES = [
    "a",
    "b: ",
    "- ",
    "&x ",
    "*x",
    "<<: ",
    "!!int ",
    "!!python/x ",
    "---\n",
    "...\n",
    "0123",
    "yes",
    "1e5",
]
ODD = ["2026-01-01", "null", "~", "\ufeff", "\x85", "\x00"]
YAML_PARTS = st.lists(st.sampled_from([*INDICATORS, *PIECES, *ODD])).map("".join)


@LAW
@given(st.integers(min_value=0, max_value=10**14))
def test_a_duration_survives_its_own_spelling_to_the_millisecond(milliseconds: int) -> None:
    written = durations.text(milliseconds / 1000)

    assert durations.parse(written) == pytest.approx(milliseconds / 1000, rel=1e-15, abs=1e-9)
    assert durations.text(durations.parse(written)) == written


@LAW
@given(st.text() | DURATIONS | st.floats() | st.booleans())
@example("1h1h")
@example("5m1h")
@example("1.5s")
@example("-1s")
@example("10")
@example("\u0661s")
@example("1s\n")
def test_a_duration_is_one_that_prometheus_would_take_or_refused(text: Any) -> None:
    try:
        seconds = durations.parse(text)
    except ValueError:
        return

    assert seconds >= 0
    assert text == "0" or str(text)[-1] in "ywdhms"
    assert durations.parse(durations.text(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["1h1h", "5m1h", "1.5s", "-1s", "10", "\u0661s", "1s\n", "", " 1s", 10, 1.5, True]
)
def test_what_prometheus_would_not_take_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration: write it as 500ms"):
        durations.parse(text)


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, bool, Decimal)


@LAW
@given(content=st.text() | YAML_PARTS | st.binary())
@example(content="[" * 20_000)
@example(content="{a: " * 5_000)
@example(content="- " * 5_000)
@example(content="a: " + "9" * 10_000)
@example(content="a: 1e999")
@example(content="&a [*a]")
@example(content="!!timestamp x")
@example(content="? [a, b]\n: c")
@example(content="a: !!binary aGk=")
@example(content="--- a\n--- b")
@example(content="a: !!float .inf\nb: .nan")
@example(content=b"\xff\xfe")
def test_a_file_is_plain_data_or_an_error_that_names_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogatepass"))
    try:
        data = read(file).data
    except ConfigurationError as error:
        data, problems = None, error.problems
    else:
        problems = []

    assert is_plain(data)
    assert all(problem.file == str(file) and problem.message for problem in problems)


@LAW
@given(data=PLAIN_DATA)
def test_json_is_read_as_the_data_that_it_says(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "plain.yml"
    file.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    found = read(file).data

    assert found == data
    assert type(found) is type(data)


@pytest.mark.parametrize(
    "text", ["yes", "on", "0123", "2026-01-01", "1_000", "0x1f", "1:30", ".5", "tRUE", "nuLL"]
)
def test_words_that_yaml_would_turn_into_something_else_stay_text(tmp_path: Path, text: str) -> None:
    file = tmp_path / "words.yml"
    file.write_text(f"key: {text}\n", encoding="utf-8")

    assert read(file).data == {"key": text}
    assert yaml.safe_load("key: 0123") == {"key": 83}, "or this test has become needless"

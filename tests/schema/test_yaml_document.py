"""What is read is what was written, for any YAML that can be written."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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

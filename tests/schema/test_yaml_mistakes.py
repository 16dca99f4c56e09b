"""What is not valid YAML is told in words of ours, at a place in the file, and without what stands there."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.schema import yaml_document
from exporter.schema.problems import ConfigurationError, Problem
from exporter.schema.yaml_document import dump, read

SAME_FOLDER = settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = (
    "accounts: -",
    " -",
    "name: a",
    "name:b",
    "  ",
    " ",
    "#c",
    "'",
    '"',
    "\\x",
    "[",
    "}",
    "*a",
    "&a ",
    "@",
    "!t",
    "?",
)
SIGNS = ("\n", "\n", "\r\n", "\t", "\u00a0", "\u200b", "\ufeff", "\u2028", "\x85", ">", "---", ": ")
PIECES = st.sampled_from((*WORDS, *SIGNS))


@pytest.fixture(params=["C", "Python"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read with each of the library's two readers: the one in C is not everywhere."""
    loader = yaml.CSafeLoader if request.param == "C" else yaml.SafeLoader
    monkeypatch.setattr(yaml_document, "_Loader", loader)
    return str(request.param)


def problems(text: str, folder: Path) -> list[Problem]:
    file = folder / "file.yml"
    file.write_bytes(text.encode())
    try:
        read(file)
    except ConfigurationError as error:
        return error.problems
    return []


@pytest.mark.usefixtures("reader")
@given(pieces=st.lists(PIECES, max_size=14))
@SAME_FOLDER
def test_any_text_is_read_or_refused_at_a_place_in_it(pieces: list[str], tmp_path: Path) -> None:
    text = "".join(pieces)
    for problem in problems(text, tmp_path):
        assert 0 <= problem.line <= text.count("\n") + text.count("\u2028") + text.count("\x85") + 2
        assert str(problem).isprintable()


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    "line",
    ["*canary", '"canary\\q"', "@canary", "`canary", "'canary", "canary: x", "[canary", "%canary", "!canary"],
)
def test_a_key_is_not_repeated(line: str, tmp_path: Path) -> None:
    (problem, *_) = problems(f"api_key: {line}\n", tmp_path)
    assert "canary" not in str(problem)


@pytest.mark.usefixtures("reader")
def test_a_line_that_is_indented_otherwise_is_told_by_both_readers(tmp_path: Path) -> None:
    (problem,) = problems("accounts:\n  - name: a\n    provider: b\n   key: c\n", tmp_path)
    assert (problem.line, problem.column) == (4, 4)
    assert "wrong indentation: this line begins in column 4" in problem.message


@pytest.mark.parametrize("style", ["'{}'", '"{}"', "|\n{}", ">\n{}"])
def test_signs_that_nobody_sees_may_begin_a_line_of_a_text(style: str, tmp_path: Path) -> None:
    text = "key: " + style.format("  a\n  \u00a0b\n  c").replace("'  a", "'a").replace('"  a', '"a') + "\n"
    assert problems(text, tmp_path) == []


def test_such_signs_may_stand_inside_a_line(tmp_path: Path) -> None:
    assert problems("name: a\u00a0b # \u200b\n# \u00a0\n", tmp_path) == []


def test_what_is_written_is_in_quotes_where_it_has_such_signs() -> None:
    assert dump({"\u00a0a": "b\u200b", "c": "d"}) == '"\u00a0a": "b\u200b"\nc: d\n'

"""What a person did where YAML was not valid: the library says only what it expected instead."""

import re
from typing import NamedTuple

from exporter.schema.signs import called, lines_of, unseen

_NO_COLON = "could not find expected ':'"
_KEY_WITHOUT_SPACE = re.compile(r"\s*(- +)?[A-Za-z_]\w*:[^\s/]")
_KEY_WITH_VALUE = re.compile(r"\s*(- +)?[^\s#][^#]*?:\s+[^\s#|>&]")


class Complaint(NamedTuple):
    """What the library says: lines and columns count from 0; `begin` is the line and column where `context` began."""

    problem: str
    context: str
    line: int
    column: int
    begin: tuple[int, int] | None


class Mistake(NamedTuple):
    """Where a file is wrong, line and column from 1, and what to do."""

    line: int
    column: int
    message: str


def explained(complaint: Complaint, text: str) -> Mistake:
    """Return what was probably meant, and where. The text of a line is never shown: it may be a secret."""
    lines = [*lines_of(text), ""]
    line = lines[complaint.line]
    for number, column, sign in unseen(text, inside=True):
        if number <= complaint.line + 1:
            return Mistake(number, column, odd(sign))
    words = _tab(complaint, line) or _indentation(complaint, lines) or _colon(complaint, lines)
    words = words or _quotes(complaint, line) or _literally(complaint)
    line_number, column_number = complaint.line, complaint.column
    if complaint.begin is not None and complaint.problem.startswith(_NO_COLON):
        # The library notices only at the next line that the key has none.
        line_number, column_number = complaint.begin
    return Mistake(line_number + 1, column_number + 1, f"is not valid YAML: {words}")


def odd(sign: str) -> str:
    """Return what is wrong with a character that stands where a space belongs."""
    return f"has a character here that is not a plain space ({called(sign)}), and YAML takes it for a letter"


def _tab(complaint: Complaint, line: str) -> str:
    return "indent with spaces, not with tabs" if line[complaint.column :].startswith("\t") else ""


def _indentation(complaint: Complaint, lines: list[str]) -> str:
    if not complaint.problem.startswith(
        ("did not find expected '-'", "did not find expected key", "expected <block end>")
    ):
        return ""
    line = lines[complaint.line]
    if "block" not in complaint.context or complaint.begin is None or complaint.column != _indent(line):
        return ""
    begin, column = complaint.begin
    what = "list" if complaint.context.endswith("collection") else "mapping"
    if what == "list" and complaint.column == column:
        return (
            f"each entry of the list that begins on line {begin + 1} begins with a dash; "
            "what belongs to the entry above is indented further than that dash"
        )
    return _line_above(complaint.line, lines) or (
        f"wrong indentation: this line begins in column {complaint.column + 1}, which fits nothing above it; "
        f"the {what} that begins on line {begin + 1} stands in column {column + 1}"
    )


def _colon(complaint: Complaint, lines: list[str]) -> str:
    if complaint.problem.startswith(_NO_COLON):
        return "a key needs a colon and a space after it"
    if not complaint.problem.startswith("mapping values are not allowed"):
        return ""
    if _KEY_WITH_VALUE.match(lines[complaint.line][: complaint.column]):
        return "put text that has a colon and a space in it in quotes"
    return _line_above(complaint.line, lines)


def _line_above(at: int, lines: list[str]) -> str:
    above = next(
        (number for number in range(at - 1, -1, -1) if lines[number].strip()[:1] not in ("", "#")), 0
    )
    if _KEY_WITHOUT_SPACE.match(lines[above]):
        return f"a space is missing after the colon on line {above + 1}"
    if _KEY_WITH_VALUE.match(lines[above]) and _indent(lines[at]) > _indent(lines[above], dashes="-"):
        return f"this line is indented further than line {above + 1}, whose key has a value already"
    return ""


def _quotes(complaint: Complaint, line: str) -> str:
    if "cannot start any token" in complaint.problem:
        return f"text that begins with {line[complaint.column : complaint.column + 1]} needs quotes"
    if complaint.problem.startswith("found undefined alias"):
        return "text that begins with * needs quotes; as an alias it names nothing here"
    if complaint.problem.startswith("found unknown escape"):
        return "a backslash in double quotes begins an escape, and there is none like this; use single quotes"
    if complaint.problem == "found unexpected end of stream" and complaint.begin is not None:
        return f"the quotes that open on line {complaint.begin[0] + 1} are never closed"
    return ""


def _literally(complaint: Complaint) -> str:
    words = [complaint.problem, complaint.context]
    if complaint.begin is not None and complaint.begin[0] < complaint.line:
        words.append(f"that begins on line {complaint.begin[0] + 1}")
    return " ".join(word for word in words if word)


def _indent(line: str, dashes: str = "") -> int:
    return len(line) - len(line.lstrip(f" {dashes}"))

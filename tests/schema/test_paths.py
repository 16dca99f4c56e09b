"""What is wrong with a path is said at its sign, with what to write instead."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.providers import load
from exporter.schema.paths import expression
from exporter.schema.problems import MisplacedError

DASH = "a name with a dash stands in double quotes; write "
ODD = "a name with other characters than a to z, 0 to 9 and _ stands in double quotes"


DEFAULT = "what is missing stays missing; of several paths in a list the first that is there counts"


@pytest.mark.parametrize(
    ("path", "offset", "hint"),
    [
        ("$.a", 0, "a path begins at the document without $; write a"),
        ("$.data.list[0].b", 0, "a path begins at the document without $; write data.list[0].b"),
        ("$['a']", 0, "a path begins at the document without $, and names are joined by points"),
        ("$", 0, 'the whole document is "$", in double quotes'),
        ("${name}", 0, "variables belong into the request"),
        ("a.0", 2, "an item of a list is named in brackets; write a[0]"),
        ("data.list.0.b", 10, "an item of a list is named in brackets; write data.list[0]"),
        ("a-b", 1, f'{DASH}"a-b"'),
        ("data.my-own-balance.c", 7, f'{DASH}"my-own-balance"'),
        ("plan-1", 4, f'{DASH}"plan-1"'),
        ("a - b", 2, "expressions do not subtract; the other amount goes into minus"),
        ("total -used", 6, "expressions do not subtract; the other amount goes into minus"),
        ("a + b", 2, "expressions do not add; the other amount goes into plus"),
        ("a * 100", 2, "expressions do not calculate; a factor goes into scale"),
        ("a / 100", 2, "expressions do not calculate; a factor goes into scale"),
        ("/data/balance", 0, "names are joined by points, as in data.balance"),
        ("a[?b=1]", 4, "to compare, write =="),
        ("a['b']", 2, "a name stands in double quotes, a text in single ones"),
        ("a.'b'", 2, "a name stands in double quotes, a text in single ones"),
        ("a.#text", 2, ODD),
        ("a.@id", 2, ODD),
        ("\u00e9tat", 0, ODD),
        ("Balance USD", 8, "a name with a space stands in double quotes"),
        ("a..b", 2, "names are joined by one point"),
        (".a.b", 0, "a path begins with a name; write a.b"),
        ('a["b"]', 2, "a field is named after a point; write a.b"),
        ('a.b["c"].d', 4, "a field is named after a point; write a.b.c"),
        ("a.2fa.b", 2, 'a name that begins with a digit stands in double quotes; write "2fa"'),
        ("a[?b==1]", 6, "a number to compare with stands in backticks; write `1`"),
        ("a[?b >= -1.5].c", 8, "a number to compare with stands in backticks; write `-1.5`"),
        ("a || 0", 5, DEFAULT),
        ("a ?? 0", 2, DEFAULT),
        ("a?.b", 1, ""),
    ],
)
def test_a_mistake_has_a_place_and_a_hint(path: str, offset: int, hint: str) -> None:
    with pytest.raises(MisplacedError) as caught:
        expression(path)
    said = f"is not a JMESPath expression; {hint}" if hint else "is not a JMESPath expression"
    assert (str(caught.value), caught.value.offset) == (said, offset)


@pytest.mark.parametrize("path", ["a.", "a[", "a[*", "foo(", "data.balance.", "((("])
def test_a_path_that_ends_too_early_says_so_at_its_end(path: str) -> None:
    with pytest.raises(MisplacedError, match=r"^is a JMESPath expression that ends too early$") as caught:
        expression(path)
    assert caught.value.offset == len(path)


def test_an_empty_path_says_what_one_is() -> None:
    with pytest.raises(ValueError, match=r"^is empty; a path names fields, as in data\.balance$"):
        expression("")


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str], tuple[int, int]]:
    """Return line and column of the one mistake in a definition with this balance."""

    def place(balance: str) -> tuple[int, int]:
        file = tmp_path / "acme.yml"
        file.write_text(
            "title: Acme\ndocumentation: []\nconfidence: observed\ncredentials: {api_key: {description: key}}\n"
            "base_url: https://api.example.com\nrequest: {path: /}\nauth: {type: bearer}\nwallets:\n"
            f"  balance: {balance}\n",
            encoding="utf-8",
        )
        _, problems = load(file)
        (problem,) = problems
        return problem.line, problem.column

    return place


@pytest.mark.parametrize(
    ("balance", "line", "column"),
    [
        ("data.a-b", 9, 18),
        ("'data.a-b'", 9, 19),
        ('"data.a-b"', 9, 19),
        ("[data.b, data.a-b]", 9, 27),
        ("{path: data.a-b}", 9, 25),
        ("{path: q, minus: data.a-b}", 9, 35),
        # What is written otherwise than it is read, or on several lines, has the place of its begin.
        ('"data.a\\x2Db"', 9, 12),
        ("'data.''a'' - b'", 9, 12),
        (">-\n    data.a-b", 9, 12),
    ],
)
def test_the_column_is_that_of_the_sign(
    balance: str, line: int, column: int, place: Callable[[str], tuple[int, int]]
) -> None:
    assert place(balance) == (line, column)

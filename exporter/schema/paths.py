"""Paths into an answer: which JMESPath expressions are accepted, and what is wrong with the others."""

import re
from typing import Any

import jmespath
from jmespath.exceptions import EmptyExpressionError, IncompleteExpressionError, JMESPathError
from jmespath.functions import Functions

from exporter.schema.problems import MisplacedError

_MAX_EXPRESSION = 2000
_CHAINS = frozenset(
    {
        "subexpression",
        "index_expression",
        "pipe",
        "flatten",
        "projection",
        "value_projection",
        "filter_projection",
    }
)
"""Parts of an expression whose later children look at what the first one found."""

_QUOTED = "stands in double quotes"
_HINTS = [
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"^\0\$\.?(?P<rest>\w.*)", "a path begins at the document without $; write {rest}"),
        (r"^\0\$\[", "a path begins at the document without $, and names are joined by points"),
        (r"\0\$$", 'the whole document is "$", in double quotes'),
        (r"\0\$\{", "variables belong into the request"),
        (r"\.\0(?P<name>\d\w*[A-Za-z_]\w*)", f'a name that begins with a digit {_QUOTED}; write "{{name}}"'),
        (
            r"(?P<list>.*)\.\0(?P<number>\d+)",
            "an item of a list is named in brackets; write {list}[{number}]",
        ),
        (r"(?P<name>\w+)\0(?P<more>-[\w-]*\w)", f'a name with a dash {_QUOTED}; write "{{name}}{{more}}"'),
        (
            r"[=!<>]=?\s*\0(?P<number>-?\d[\d.]*)",
            "a number to compare with stands in backticks; write `{number}`",
        ),
        (r"\S\s*\0\+", "expressions do not add; the other amount goes into plus"),
        (r"\S\s*\0-", "expressions do not subtract; the other amount goes into minus"),
        (r"\S\s*\0[*/%]", "expressions do not calculate; a factor goes into scale"),
        (r"^\0/", "names are joined by points, as in data.balance"),
        (r"\0=", "to compare, write =="),
        (
            r"\|\|\s*\0-?\d|\0\?\?",
            "what is missing stays missing; of several paths in a list the first that is there counts",
        ),
        (r"\.\0\.", "names are joined by one point"),
        (r"^\0\.(?P<rest>\w.*)", "a path begins with a name; write {rest}"),
        (
            r'^\0?(?P<name>[\w.]+)\0?\[\0?"(?P<field>\w+)"',
            "a field is named after a point; write {name}.{field}",
        ),
        (r"[.\[]\0'", "a name stands in double quotes, a text in single ones"),
        (r"\0[#@]|\0[^\0-\x7f]", f"a name with other characters than a to z, 0 to 9 and _ {_QUOTED}"),
        (r"\w\s+\0\w", f"a name with a space {_QUOTED}"),
    )
]
"""Mistakes of people who know another language: where each is (NUL marks the place), and what to write instead."""


def expression(value: str) -> str:
    """Accept a JMESPath expression that can be evaluated; raise ValueError, which says what is wrong with any other."""
    if len(value) > _MAX_EXPRESSION:
        raise ValueError(f"must have at most {_MAX_EXPRESSION} characters")
    try:
        tree = jmespath.compile(value).parsed
    except EmptyExpressionError:
        raise ValueError("is empty; a path names fields, as in data.balance") from None
    except IncompleteExpressionError:
        raise MisplacedError("is a JMESPath expression that ends too early", len(value)) from None
    except JMESPathError as error:
        at = getattr(error, "lex_position", 0)
        if at >= len(value):
            raise MisplacedError("is a JMESPath expression that ends too early", at) from None
        raise MisplacedError(f"is not a JMESPath expression{_hint(value, at)}", at) from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    _check_calls(tree)
    return value


def _hint(value: str, at: int) -> str:
    """Return what was perhaps meant by an expression that is wrong at a sign."""
    marked = f"{value[:at]}\0{value[at:]}"
    for pattern, words in _HINTS:
        if found := pattern.search(marked):
            return "; " + words.format(**found.groupdict())
    return ""


def without_sum(value: str) -> str:
    """Accept an expression that does not add up what may be missing; raise ValueError for another."""
    if "sum" in _called(jmespath.compile(value).parsed):
        raise ValueError(
            "calls sum(), which is 0 where the items lack the field; write sum: {items: ..., path: ...}"
        )
    return value


def begins(value: str) -> set[str]:
    """Return the names of the fields that an expression looks for first, and `@` where it takes all that there is."""
    return _begins(jmespath.compile(value).parsed)


def _begins(node: Any) -> set[str]:
    if not isinstance(node, dict):
        return set()
    kind, children = node["type"], node["children"]
    if kind == "field":
        return {node["value"]}
    if kind in ("current", "identity"):
        return {"@"}
    if kind in _CHAINS:
        return _begins(children[0])
    return set().union(*map(_begins, children))


def mentions(value: str, name: str) -> bool:
    """Return whether an expression looks for a field of that name anywhere."""
    return _mentions(jmespath.compile(value).parsed, name)


def _mentions(node: Any, name: str) -> bool:
    if not isinstance(node, dict):
        return False
    own = node["type"] == "field" and node["value"] == name
    return own or any(_mentions(child, name) for child in node["children"])


def ends_in_name(value: str) -> bool:
    """Return whether an expression ends in the name of a field: only then one can see whether the field is there."""
    node = jmespath.compile(value).parsed
    while node["type"] in ("subexpression", "pipe"):
        node = node["children"][-1]
    return bool(node["type"] == "field")


def _called(node: Any) -> set[str]:
    if not isinstance(node, dict):
        return set()
    own = {node["value"]} if node["type"] == "function_expression" else set()
    return own.union(*map(_called, node["children"]))


def _check_calls(node: Any) -> None:
    if not isinstance(node, dict):
        return
    if node["type"] == "function_expression":
        _check_call(node["value"], len(node["children"]))
    for child in node["children"]:
        _check_calls(child)


def _check_call(name: str, given: int) -> None:
    if name not in Functions.FUNCTION_TABLE:
        raise ValueError(f"calls {name}(), which is not a function of JMESPath")
    if name == "avg":
        raise ValueError("calls avg(), which is not exact")
    signature = Functions.FUNCTION_TABLE[name]["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) or (given > len(signature) and not variadic):
        least = "at least " if variadic else ""
        raise ValueError(f"calls {name}() with {given} arguments; it takes {least}{len(signature)}")

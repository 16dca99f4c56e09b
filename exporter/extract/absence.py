"""Why an expression finds nothing: something is not there, or the provider says that there is nothing.

A null that is there, an alert that a filter leaves out since it is switched off, an empty list: these are answers. A
field that is not there any more, most likely since the provider renamed it, is none. Works on JMESPath's syntax trees.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

Visit = Callable[[Any, Any], Any]
"""Evaluates a node of a syntax tree over a value."""


class Nothing(Enum):
    """Why nothing is found."""

    ABSENT = "a field is not there"
    NULL = "a null or an empty list is there"
    EXCLUDED = "a condition does not hold"


def why_nothing(node: Any, value: Any, visit: Visit) -> Nothing:
    """Return why `node` finds nothing in `value`, where it finds nothing."""
    explain = _EXPLAINED.get(node["type"])
    if explain is not None:
        return explain(node, value, visit)
    # A function, a comparison, a negation: what they look at may not be there.
    operands = [child for child in node["children"] if isinstance(child, dict) and child["type"] != "expref"]
    missing = [why_nothing(child, value, visit) for child in operands if visit(child, value) is None]
    return Nothing.ABSENT if Nothing.ABSENT in missing else Nothing.EXCLUDED


def _field(node: Any, value: Any, _: Visit) -> Nothing:
    # A null has no fields, and is an answer. A text or a list stands where an object was: the field is missing.
    is_there = value is None or (isinstance(value, dict) and node["value"] in value)
    return Nothing.NULL if is_there else Nothing.ABSENT


def _chain(node: Any, value: Any, visit: Visit) -> Nothing:
    """Return why `a.b`, `a[0]` or `a | b` finds nothing: the first part that finds nothing is the cause."""
    *_, last = node["children"]
    for child in node["children"]:
        found = visit(child, value)
        # An empty object lacks its fields; an empty list is an answer.
        if found is None or (found == [] and (child is last or node["type"] != "subexpression")):
            return why_nothing(child, value, visit)
        value = found
    return Nothing.NULL


def _projection(node: Any, value: Any, visit: Visit) -> Nothing:
    """Return why nothing is left of a list: its elements lack something, or the condition excludes them."""
    base, right, *conditions = node["children"]
    elements = visit(base, value)
    if isinstance(elements, dict) and node["type"] == "value_projection":
        elements = list(elements.values())
    if _is_nothing(elements):
        return why_nothing(base, value, visit)
    if not isinstance(elements, list):
        return Nothing.ABSENT
    kept = [one for one in elements if all(_is_true(visit(condition, one)) for condition in conditions)]
    if kept == [None] and base["type"] == "multi_select_list":
        return why_nothing(base, value, visit)
    if kept:
        reasons = {why_nothing(right, one, visit) for one in kept}
    else:
        reasons = {why_nothing(condition, one, visit) for condition in conditions for one in elements}
    return next(reason for reason in Nothing if reason in reasons)


def _list(node: Any, value: Any, visit: Visit) -> Nothing:
    """Return why the only element of `[a]` is null."""
    return why_nothing(node["children"][0], value, visit)


def _and(node: Any, value: Any, visit: Visit) -> Nothing:
    left, right = node["children"]
    return why_nothing(right if _is_true(visit(left, value)) else left, value, visit)


def _or(node: Any, value: Any, visit: Visit) -> Nothing:
    reasons = {why_nothing(child, value, visit) for child in node["children"]}
    return Nothing.ABSENT if reasons == {Nothing.ABSENT} else (reasons - {Nothing.ABSENT}).pop()


def _null(*_: Any) -> Nothing:
    return Nothing.NULL


def _is_nothing(found: Any) -> bool:
    return found is None or found in ([], {})


def _is_true(found: Any) -> bool:
    return not (_is_nothing(found) or found is False or found == "")


_EXPLAINED: dict[str, Callable[[Any, Any, Visit], Nothing]] = {
    "field": _field,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "projection": _projection,
    "value_projection": _projection,
    "filter_projection": _projection,
    "flatten": _chain,
    "multi_select_list": _list,
    "and_expression": _and,
    "or_expression": _or,
    "literal": _null,
    "current": _null,
    "identity": _null,
    "index": _null,
    "slice": _null,
}

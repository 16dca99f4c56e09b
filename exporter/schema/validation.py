"""Turns what the schema library says of a document into problems with file, line, column and near miss."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from exporter.schema.problems import Location, MisplacedError, Problem
from exporter.schema.yaml_document import YamlDocument

_Model = TypeVar("_Model", bound=BaseModel)

_MESSAGES: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "must be text (a number or true/false needs quotes)",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "date_type": "must be a date such as 2026-11-27",
    "date_from_datetime_parsing": "must be a date such as 2026-11-27",
    "date_from_datetime_inexact": "must be a date such as 2026-11-27",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "union_tag_not_found": "must say its type",
}
_FILLED: Mapping[str, str] = {
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "string_pattern_mismatch": "must match {pattern}",
    "union_tag_invalid": "type must be one of {expected_tags}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
}


def did_you_mean(word: str, known: Iterable[str], alike: float = 0.6) -> str:
    """Return `; did you mean "..."?` where a known word is close, else an empty text.

    `alike` says how close, up to 1: names of many companies need more than a few keys do.
    """
    spelt = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(spelt), n=1, cutoff=alike)
    return f'; did you mean "{spelt[close[0]]}"?' if close else ""


def validate(
    model: type[_Model], data: Any, source: YamlDocument, location: Location = ()
) -> tuple[_Model | None, list[Problem]]:
    """Validate `data` (at `location` of `source`); return the model, or everything that is wrong."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [_problem(model, detail, source, location) for detail in details]


def unknown_key(source: YamlDocument, location: Location, known: Iterable[str]) -> Problem:
    """Return the problem of a key that is not known, with the key that was perhaps meant."""
    return source.problem(location, f"unknown key{did_you_mean(str(location[-1]), known)}", at_key=True)


def _problem(model: type[BaseModel], detail: ErrorDetails, source: YamlDocument, prefix: Location) -> Problem:
    location = written(detail["loc"], source, prefix)
    if detail["type"] == "extra_forbidden":
        return unknown_key(source, location, _fields_at(model, detail["loc"][:-1]))
    if detail["type"] == "missing":
        return source.problem(location, "is missing")
    error = detail.get("ctx", {}).get("error")
    offset = error.offset if isinstance(error, MisplacedError) else 0
    return source.problem(location, _message(detail), at_key="[key]" in detail["loc"], offset=offset)


def written(loc: Location, source: YamlDocument, prefix: Location = ()) -> Location:
    """Return a location without what the schema library adds: `[key]`, tags of unions, the index in a list of one."""
    location = prefix
    for part in loc[:-1]:
        if source.has((*location, part)):
            location = (*location, part)
    last = loc[-1:]
    added = last in ((), ("[key]",)) or (isinstance(last[0], int) and not source.has((*location, *last)))
    return location if added else (*location, *last)


def _message(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _FILLED:
        return _FILLED[kind].format(**context) + _nearest(detail)
    return _MESSAGES.get(kind, detail["msg"])


def _nearest(detail: ErrorDetails) -> str:
    """Return the word of a closed list that was perhaps meant. No secret is ever chosen from a list."""
    context = detail.get("ctx", {})
    given, known = (
        context.get("tag", detail["input"]),
        context.get("expected", context.get("expected_tags", "")),
    )
    if detail["type"] not in ("enum", "literal_error", "union_tag_invalid") or not isinstance(given, str):
        return ""
    return did_you_mean(given, re.findall(r"'([^']*)'", known))


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """List the keys that the schema knows at a location, by way of the JSON Schema it prints."""
    schema = _schema(model)
    here: Any = schema
    for part in location:
        here = next((found for found in _steps(here, part, schema)), {})
    return [name for branch in _branches(here, schema) for name in branch.get("properties", {})]


@lru_cache(maxsize=4)
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model, which is slow to make; a file may have many mistakes."""
    return model.model_json_schema()


def _branches(node: Any, schema: Any) -> list[Any]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    choices = [choice for word in ("anyOf", "oneOf") for choice in node.get(word, [])]
    return [leaf for choice in choices for leaf in _branches(choice, schema)] if choices else [node]


def _steps(node: Any, part: str | int, schema: Any) -> list[Any]:
    found = []
    for branch in _branches(node, schema):
        inner = branch.get("items") if isinstance(part, int) else branch.get("properties", {}).get(part)
        inner = inner or (branch.get("additionalProperties") if isinstance(part, str) else None)
        if isinstance(inner, dict):
            found.append(inner)
    return found

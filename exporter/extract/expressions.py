"""JMESPath over documents whose numbers are exact. The only user of the JMESPath library at run time."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import jmespath
from jmespath import exceptions, functions, visitor

from exporter.model import UNROUNDED, Failure, Reason
from exporter.schema.fields import NUMBER

Search = Callable[[Any], Any]
"""A compiled expression: document in, value or None out; raises `Failure` (malformed)."""


class _Functions(functions.Functions):
    """The standard functions, which know a decimal for the number that it is."""

    def _get_allowed_pytypes(self, types: Any) -> Any:
        allowed, elements = super()._get_allowed_pytypes(types)  # type: ignore[misc] # missing in its stubs
        return _with_decimal(allowed), [_with_decimal(names) for names in elements]

    def _convert_to_jmespath_type(self, pyobject: str) -> Any:
        known = super()._convert_to_jmespath_type  # type: ignore[misc] # missing in its stubs
        return "number" if pyobject == "Decimal" else known(pyobject)

    @functions.signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        if isinstance(arg, str):
            return Decimal(arg) if NUMBER.fullmatch(arg) else None
        return arg if isinstance(arg, int | Decimal) and not isinstance(arg, bool) else None

    @functions.signature({"types": ["array-number"]})
    def _func_sum(self, arg: Any) -> Any:
        total = Decimal(0)
        for value in arg:
            total = UNROUNDED.add(total, value)
        return total

    @functions.signature({"types": ["number"]})
    def _func_abs(self, arg: Any) -> Any:
        return UNROUNDED.abs(arg)


def _with_decimal(names: Iterable[str]) -> tuple[str, ...]:
    known = tuple(names)
    return (*known, "Decimal") if "float" in known else known


_INTERPRETER = visitor.TreeInterpreter(jmespath.Options(custom_functions=_Functions()))


def search(expression: str) -> Search:
    """Compile an expression; one that fails on a document means that the document has another shape."""
    tree = _exact(jmespath.compile(expression).parsed)

    def run(document: Any) -> Any:
        try:
            return _INTERPRETER.visit(tree, document)
        except (exceptions.JMESPathError, ArithmeticError, TypeError, ValueError):
            raise Failure(Reason.MALFORMED, f"{expression} does not fit the answer") from None

    return run


def _exact(node: Any) -> Any:
    """Read the literals of an expression as documents are read."""
    if not isinstance(node, dict):
        return node
    if node["type"] == "literal":
        return {**node, "value": json.loads(json.dumps(node["value"]), parse_float=Decimal)}
    return {**node, "children": [_exact(child) for child in node["children"]]}


def searches(expressions: Iterable[str]) -> list[Search]:
    """Compile several expressions, in order."""
    return [search(expression) for expression in expressions]

"""JMESPath over documents whose numbers are exact. The only user of the JMESPath library at run time."""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import jmespath
from jmespath import exceptions, functions, visitor

from exporter.model import Failure, Reason

Search = Callable[[Any], Any]
"""A compiled expression: document in, value or None out; raises `Failure` (malformed)."""


class _Functions(functions.Functions):
    """The standard functions, which know a decimal for the number that it is."""

    def _get_allowed_pytypes(self, types: Any) -> Any:
        allowed, elements = super()._get_allowed_pytypes(types)  # type: ignore[misc] # missing in its stubs
        return _with_decimal(allowed), [_with_decimal(names) for names in elements]

    @functions.signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        if isinstance(arg, bool) or not isinstance(arg, str | int | float | Decimal):
            return None
        try:
            return Decimal(arg) if isinstance(arg, str) else arg
        except InvalidOperation:
            return None


def _with_decimal(names: Iterable[str]) -> tuple[str, ...]:
    known = tuple(names)
    return (*known, "Decimal") if "float" in known else known


_INTERPRETER = visitor.TreeInterpreter(jmespath.Options(custom_functions=_Functions()))


def search(expression: str) -> Search:
    """Compile an expression; one that fails on a document means that the document has another shape."""
    tree = jmespath.compile(expression).parsed

    def run(document: Any) -> Any:
        try:
            return _INTERPRETER.visit(tree, document)
        except (exceptions.JMESPathError, ArithmeticError, TypeError):  # avg() divides by a binary float
            raise Failure(Reason.MALFORMED, f"{expression} does not fit the answer") from None

    return run


def searches(expressions: Iterable[str]) -> list[Search]:
    """Compile several expressions, in order."""
    return [search(expression) for expression in expressions]

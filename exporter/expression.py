"""JMESPath over documents whose numbers are exact. The only user of the JMESPath library at run time."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import jmespath
from jmespath import exceptions, functions, visitor

from exporter.model import Failure, Reason

Search = Callable[[Any], Any]
"""A compiled expression: document in, value or None out; raises `Failure` (malformed)."""


class _Functions(functions.Functions):
    """The standard functions, which know a decimal for the number that it is."""

    def _type_check_single(self, current: Any, types: Any, function_name: str) -> None:
        known = float(current) if isinstance(current, Decimal) else current
        super()._type_check_single(known, types, function_name)  # type: ignore[misc] # missing in its stubs

    @functions.signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        if isinstance(arg, Decimal):
            return arg
        return super()._func_to_number(arg)  # type: ignore[misc] # missing in its stubs


_INTERPRETER = visitor.TreeInterpreter(jmespath.Options(custom_functions=_Functions()))


def search(expression: str) -> Search:
    """Compile an expression; one that fails on a document means that the document has another shape."""
    tree = jmespath.compile(expression).parsed

    def run(document: Any) -> Any:
        try:
            return _INTERPRETER.visit(tree, document)
        except exceptions.JMESPathError:
            raise Failure(Reason.MALFORMED, f"{expression} does not fit the answer") from None

    return run


def searches(expressions: Iterable[str]) -> list[Search]:
    """Compile several expressions, in order."""
    return [search(expression) for expression in expressions]

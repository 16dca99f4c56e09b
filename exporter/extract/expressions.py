"""JMESPath over documents whose numbers are exact. The only user of the JMESPath library at run time."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NoReturn

import jmespath
from jmespath import exceptions, functions, visitor

from exporter.extract.absence import Nothing, why_nothing
from exporter.model import UNROUNDED, Failure, Reason
from exporter.schema.fields import NUMBER

MAX_STEPS = 1_000_000
"""Steps that all expressions may take over one answer: a second or two of a processor's time."""

_SIGNS_A_STEP = 64
_DEEP_FUNCTIONS = frozenset({"contains", "join", "to_string"})
"""Functions that look at everything in their arguments, and not at their members alone."""


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


_FUNCTIONS = _Functions()


_MISMATCHES = (exceptions.JMESPathError, ArithmeticError, RecursionError, TypeError, ValueError)
"""What the library raises where a document has another shape than an expression wants."""


class Interpreter(visitor.TreeInterpreter):
    """Runs the expressions over one answer, and counts their steps: some take a year over a hostile one.

    Steps and not seconds, so that the same answer gives the same outcome on every machine. `names` are fields that
    every object has, such as `"$"` for the whole document.
    """

    def __init__(self, names: Mapping[str, Any] = MappingProxyType({}), steps: int = MAX_STEPS) -> None:
        super().__init__(jmespath.Options(custom_functions=_FUNCTIONS))
        self.names = dict(names)
        self._left = steps

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Count each part of an expression that is looked at."""
        # This is done a million times in the worst of answers: as `spend` does it, without a call.
        self._left -= 1
        if self._left < 0:
            self._give_up()
        return super().visit(node, *args, **kwargs)

    def visit_field(self, node: Any, value: Any) -> Any:
        """Find a field by its name, which may be one that every object has."""
        name = node["value"]
        return self.names[name] if name in self.names else super().visit_field(node, value)

    @contextmanager
    def known(self, names: Mapping[str, Any]) -> Iterator[None]:
        """Let further names count, in place of those before."""
        before = self.names
        self.names = {**before, **names}
        try:
            yield
        finally:
            self.names = before

    def visit_comparator(self, node: Any, value: Any) -> Any:
        """Count what has to be compared: equal lists are compared to their ends."""
        sides = [self.visit(child, value) for child in node["children"]]
        if not any(isinstance(side, int | Decimal | None) for side in sides):
            self._spend_on_all_in(sides)
        literals: Any = [{"type": "literal", "value": side, "children": []} for side in sides]
        known: Any = {**node, "children": literals}
        return super().visit_comparator(known, value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        """Count the members of the new list."""
        return self._paid(super().visit_flatten(node, value))

    def visit_slice(self, node: Any, value: Any) -> Any:
        """Count the members of the new list."""
        return self._paid(super().visit_slice(node, value))

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        """Count what a function looks at, and what it makes."""
        given = [self.visit(child, value) for child in node["children"]]
        for argument in given:
            self._paid(argument)
        if node["value"] in _DEEP_FUNCTIONS:
            self._spend_on_all_in(given)
        return self._paid(_FUNCTIONS.call_function(node["value"], given))

    def _paid(self, value: Any) -> Any:
        """Spend as many steps as a value has members, and return it."""
        if isinstance(value, str):
            self.spend(len(value) // _SIGNS_A_STEP)
        elif isinstance(value, list | dict):
            self.spend(len(value))
        return value

    def _spend_on_all_in(self, values: list[Any]) -> None:
        stack = list(values)
        while stack:
            value = self._paid(stack.pop())
            stack += value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()

    def spend(self, steps: int) -> None:
        """Take steps off what is left; raise `Failure` (timeout) where nothing is."""
        self._left -= steps
        if self._left < 0:
            self._give_up()

    @staticmethod
    def _give_up() -> NoReturn:
        raise Failure(Reason.TIMEOUT, "the expressions of the definition take too long over this answer")


class Expression:
    """A compiled expression, by its `text`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree = _exact(jmespath.compile(text).parsed)

    def search(self, document: Any, interpreter: Interpreter) -> Any:
        """Return what the expression finds, or None.

        Raise ValueError where the document has another shape, `Failure` (timeout) after too many steps.
        """
        try:
            return interpreter.visit(self._tree, document)
        except _MISMATCHES:
            raise ValueError("does not fit the answer") from None

    def why_nothing(self, document: Any, interpreter: Interpreter) -> Nothing | None:
        """Return why the expression finds nothing, None where it finds something; raise `Failure` (timeout)."""
        try:
            found = interpreter.visit(self._tree, document)
            return why_nothing(self._tree, document, interpreter.visit) if found is None else None
        except _MISMATCHES:
            return Nothing.ABSENT

    def finds_null(self, document: Any, interpreter: Interpreter) -> bool:
        """Return whether the field that the expression ends in is there, and null; raise `Failure` (timeout)."""
        node, holder = self._tree, document
        try:
            while node["type"] in ("subexpression", "pipe"):
                *before, node = node["children"]
                for child in before:
                    holder = interpreter.visit(child, holder)
        except _MISMATCHES:
            return False
        return bool(
            node["type"] == "field" and isinstance(holder, dict) and holder.get(node["value"], 0) is None
        )


def _exact(node: Any) -> Any:
    """Read the literals of an expression as documents are read."""
    if not isinstance(node, dict):
        return node
    if node["type"] == "literal":
        return {**node, "value": json.loads(json.dumps(node["value"]), parse_float=Decimal)}
    return {**node, "children": [_exact(child) for child in node["children"]]}

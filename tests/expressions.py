"""Expressions of PromQL, parsed: what is in them, and what they read."""

from collections.abc import Iterator
from functools import cache

import promql_parser as promql


@cache
def parsed(expression: str) -> promql.Expr:
    """Parse an expression, once; raise ValueError where it is none."""
    return promql.parse(expression)


@cache
def inside(expression: str) -> list[promql.Expr]:
    """List all that is in an expression, itself first; raise ValueError where it is none.

    The parser's own walk makes each part anew with all that is in it: seconds for the longest expressions.
    """
    return list(_inside(parsed(expression)))


def _inside(node: promql.Expr) -> Iterator[promql.Expr]:
    yield node
    parts = [getattr(node, name, None) for name in ("lhs", "rhs", "param", "expr", "vector_selector")]
    for part in (*parts, *(getattr(node, "args", None) or ())):
        if part is not None:
            yield from _inside(part)


@cache
def selectors(expression: str) -> list[promql.VectorSelector]:
    """List what an expression reads; raise ValueError where it is none."""
    return [node for node in inside(expression) if isinstance(node, promql.VectorSelector)]

"""Expressions of PromQL, parsed: what is in them, and what they read."""

from functools import cache

import promql_parser as promql


@cache
def parsed(expression: str) -> promql.Expr:
    """Parse an expression, once; raise ValueError where it is none."""
    return promql.parse(expression)


@cache
def inside(expression: str) -> list[promql.Expr]:
    """List all that is in an expression, itself first; raise ValueError where it is none."""
    found: list[promql.Expr] = []
    promql.walk(parsed(expression), pre_visit=lambda node: found.append(node))  # noqa: PLW0108 - None goes on
    return found


@cache
def selectors(expression: str) -> list[promql.VectorSelector]:
    """List what an expression reads; raise ValueError where it is none."""
    return [node for node in inside(expression) if isinstance(node, promql.VectorSelector)]

"""The rules that a unit test can see: promtool evaluates all of them every minute, and most give nothing there.

A rule is left out where nothing that the test gives can make it give anything, or where nothing that the test asks for
is made of it, directly or by way of other rules. Of a rule that stays, the sides of `or` and `unless` are left out that
can give nothing. So the test comes to the same with all that and without it; what is not certain stays. The texts of
an alert stay where a test expects one of it to fire: made anew every minute, they take most of the time of one that
goes on for long. WHOLE_RULES=1 leaves nothing out.
"""

import contextlib
import os
import re
from collections import defaultdict
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

from tests.expressions import parsed, selectors

Json = dict[str, Any]

_OF_NOTHING = {"absent", "absent_over_time", "scalar", "vector"}
"""Functions that give something where they are given nothing."""
_MOMENT, _AGES = "offset 1ms", "offset 13y"
"""What the parser's library cannot write, and what stands for it meanwhile. Backslashes it cannot write either."""


def seconds(duration: str) -> int:
    """Read a duration of a unit test."""
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))


def asked(world: Json) -> list[Json]:
    """List the questions of a unit test."""
    return [*world.get("alert_rule_test", []), *world.get("promql_expr_test", [])]


class _Loader(yaml.CSafeLoader):
    """Read every value as the text that it is: `0x60` is sixty-one zeros here, and no number."""

    yaml_implicit_resolvers = {"<": yaml.CSafeLoader.yaml_implicit_resolvers["<"]}  # noqa: RUF012 - as its base has it


class _Dumper(yaml.CSafeDumper):
    """Write the texts as they were read."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - as its base has it


def _read(path: Path) -> Json:
    read: Json = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a safe one
    return read


def write(path: Path, folder: Path) -> list[Path]:
    """Write the unit tests of a file one by one, each with the rules that it can see; return their paths."""
    whole = _read(path)
    groups = [group for rules in whole["rule_files"] for group in _read(path.parent / rules)["groups"]]
    written = []
    for number, world in enumerate(whole["tests"]):
        seen = groups if os.environ.get("WHOLE_RULES") else silenced(world, sliced(world, groups))
        rules, test = folder / f"{number}.rules.yml", folder / f"{number}.test.yml"
        rules.write_text(yaml.dump({"groups": seen}, Dumper=_Dumper))
        test.write_text(yaml.dump({**whole, "rule_files": [str(rules)], "tests": [world]}, Dumper=_Dumper))
        written.append(test)
    return written


def sliced(world: Json, groups: list[Json]) -> list[Json]:
    """Return the groups with those of their rules that a unit test can see, and of those what can give something."""
    span = max(seconds(str(question["eval_time"])) for question in asked(world))
    able = _able(world, [rule for group in groups for rule in group["rules"]], span)
    pruned = {
        id(rule): {**rule, "expr": _pruned(rule["expr"], able, span)} for rule in able.rules if "expr" in rule
    }
    seen = _seen(world, list(pruned.values()))
    kept = [
        {**group, "rules": [rule for one in group["rules"] if id(rule := pruned.get(id(one))) in seen]}
        for group in groups
    ]
    return [group for group in kept if group["rules"]]


def _pruned(expression: str, able: "_Able", span: int) -> str:
    """Leave out of an expression the sides of `or` and `unless` that can give nothing."""
    sides = tuple(
        (_gives(node.lhs, able, span), _gives(node.rhs, able, span)) for node in _choices(expression)
    )
    return expression if all(map(all, sides)) else _without(expression, sides)


def _is_choice(node: promql.Expr) -> bool:
    return isinstance(node, promql.BinaryExpr) and str(node.op) in {"or", "unless"}


@cache
def _choices(expression: str) -> list[promql.BinaryExpr]:
    """List the `or` and `unless` of an expression, the inner ones first."""
    found: list[Any] = []
    promql.walk(parsed(expression), post_visit=lambda node: found.append(node) if _is_choice(node) else None)
    return found


@cache
def _without(expression: str, sides: tuple[tuple[bool, bool], ...]) -> str:
    """Leave sides out of an expression, by which of both stay at each `or` and `unless`, the inner ones first."""
    following = iter(sides)

    def visit(node: promql.Expr) -> promql.Expr | None:
        if not isinstance(node, promql.BinaryExpr) or not _is_choice(node):
            return None
        left, right = next(following)
        if not right:
            return node.lhs
        return node.rhs if str(node.op) == "or" and not left else None

    less = promql.transform(promql.parse(expression.replace(_MOMENT, _AGES)), post_visit=visit)
    written = str(less)
    with contextlib.suppress(ValueError):
        if repr(promql.parse(written)) == repr(less):
            return written.replace(_AGES, _MOMENT)
    return expression


def silenced(world: Json, groups: list[Json]) -> list[Json]:
    """Return the groups with the texts of those alerts only that a unit test expects to fire."""
    told = _told(world)

    def silent(rule: Json) -> Json:
        return {**rule, "annotations": {}} if "alert" in rule and rule["alert"] not in told else rule

    return [{**group, "rules": [silent(rule) for rule in group["rules"]]} for group in groups]


def _told(world: Json) -> set[str]:
    """Return the alerts whose texts a unit test asks for."""
    return {case["alertname"] for case in world.get("alert_rule_test", []) if case.get("exp_alerts")}


def _able(world: Json, rules: list[Json], span: int) -> "_Able":
    """Find the rules that can give anything of what a unit test gives them, in its first `span` seconds."""
    able = _Able()
    for series in world["input_series"]:
        able.add(_given(series["series"]))
    more = True
    while more:
        more = False
        for rule in rules:
            if rule not in able and _gives(parsed(rule["expr"]), able, span):
                able.add(rule)
                more = True
    return able


class _Able:
    """Rules that can give something, found by the name of what they give."""

    def __init__(self) -> None:
        self.rules: list[Json] = []
        self._named: dict[str, list[Json]] = defaultdict(list)
        self._ids: set[int] = set()

    def __contains__(self, rule: Json) -> bool:
        return id(rule) in self._ids

    def add(self, rule: Json) -> None:
        self.rules.append(rule)
        self._ids.add(id(rule))
        for name in _names(rule):
            self._named[name].append(rule)

    def found(self, selector: promql.VectorSelector) -> bool:
        """Return whether a selector may find what one of them gives."""
        rules = self._named.get(selector.name, []) if selector.name else self.rules
        return any(_finds(selector, rule) for rule in rules)


def _given(series: str) -> Json:
    """Take a series of a unit test for a rule that records it."""
    selector = selectors(series)[0]
    return {"record": selector.name, "labels": {one.name: one.value for one in selector.matchers.matchers}}


def _gives(node: promql.Expr, able: _Able, span: int) -> bool:
    """Return whether an expression can give anything, of these rules and in the first `span` seconds."""
    if isinstance(node, promql.VectorSelector):
        return not _before(node, span) and able.found(node)
    if isinstance(node, promql.SubqueryExpr) and _before(node, span):
        return False
    if isinstance(node, promql.Call):
        return node.func.name in _OF_NOTHING or all(_gives(one, able, span) for one in node.args)
    if isinstance(node, promql.BinaryExpr):
        left, right = (_gives(side, able, span) for side in (node.lhs, node.rhs))
        return {"or": left or right, "unless": left}.get(str(node.op), left and right)
    inner = getattr(node, "vector_selector", None) or getattr(node, "expr", None)
    return inner is None or _gives(inner, able, span)


def _before(node: promql.VectorSelector | promql.SubqueryExpr, span: int) -> bool:
    """Return whether what is read is always before the first sample."""
    return not node.at and (node.offset or timedelta()) > timedelta(seconds=span)


def _names(rule: Json) -> tuple[str, ...]:
    """Return the names of the series that a rule gives."""
    return (rule["record"],) if "record" in rule else ("ALERTS", "ALERTS_FOR_STATE")


def _finds(selector: promql.VectorSelector, rule: Json) -> bool:
    """Return whether a selector may find what a rule gives: by its name, and by the labels that the rule sets."""
    if selector.name and selector.name not in _names(rule):
        return False
    own = dict(rule.get("labels", {}))
    if "alert" in rule:
        own["alertname"] = rule["alert"]
    for matcher in selector.matchers.matchers:
        value = str(own.get(matcher.name, "{"))
        if "{" in value:  # set by a template, or not by the rule
            continue
        if matcher.op == promql.MatchOp.Equal and value != matcher.value:
            return False
        if matcher.op == promql.MatchOp.Re and not re.fullmatch(matcher.value, value):
            return False
    return True


def _seen(world: Json, able: list[Json]) -> set[int]:
    """Return which rules, by their id(), what a unit test asks for is made of."""
    names = {case["alertname"] for case in world.get("alert_rule_test", [])}
    told = _told(world)
    waiting = [one for case in world.get("promql_expr_test", []) for one in selectors(case["expr"])]
    seen: set[int] = set()
    texts = ""
    while True:
        found = [
            rule
            for rule in able
            if id(rule) not in seen
            and (
                rule.get("alert") in names
                or any(_finds(selector, rule) for selector in waiting)
                or _named(rule, texts)
            )
        ]
        if not found:
            return seen
        seen |= {id(rule) for rule in found}
        made = [rule for rule in found if "expr" in rule]
        waiting = [selector for rule in made for selector in selectors(rule["expr"])]
        texts = "".join(str(rule.get("labels", {})) for rule in made)
        texts += "".join(str(rule["annotations"]) for rule in made if rule.get("alert") in told)


def _named(rule: Json, texts: str) -> bool:
    """Return whether a template may look up what a rule records."""
    name = rule.get("record", "ALERTS")
    return name in texts or any(
        re.fullmatch(pattern, name) for pattern in re.findall(r'__name__=~\\*"([^"\\]+)', texts)
    )

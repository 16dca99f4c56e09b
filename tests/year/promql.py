"""Rule files over a whole year at once: each expression is computed for every minute of it together, then the next one.

What is understood is what our rules use, as Prometheus 3 has it, and anything else is refused by name. NaN means no
sample, so that a NaN that Prometheus would have is none here. That all rules give what promtool gives is a test.
"""

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import promql_parser as parser

from tests.expressions import parsed, selectors
from tests.year.windows import OVER_TIME, Array, Mask, Window, last_over_time, runs, shifted

Labels = tuple[tuple[str, str], ...]
"""Sorted pairs, the name of a metric among them as `__name__`."""
Vector = dict[Labels, Array]
NAME = "__name__"
LOOKBACK = 5
"""For how many minutes a sample counts, where no marker ends it."""

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": np.divide,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SETS = ("and", "or", "unless")
_KEEP_NAME = ("last_over_time",)


class NotUnderstoodError(Exception):
    """A rule has something that is not computed here, or that Prometheus would refuse."""


class Alert(NamedTuple):
    """One set of labels for which an alert fired, and when: from, and up to, in minutes."""

    name: str
    severity: str
    labels: dict[str, str]
    firing: list[tuple[int, int]]


def labels(name: str, others: Mapping[str, str]) -> Labels:
    """Return labels as they are kept; an empty one is none."""
    return tuple(sorted((key, text) for key, text in {**others, NAME: name}.items() if text))


def _without(of: Labels, names: Iterable[str]) -> Labels:
    return tuple(pair for pair in of if pair[0] not in names)


def _only(of: Labels, names: Iterable[str]) -> Labels:
    return tuple(pair for pair in of if pair[0] in names)


def _nameless(of: Labels) -> Labels:
    return _without(of, (NAME,))


def minutes(span: timedelta) -> int:
    """Return a span in whole minutes; refuse another."""
    count, rest = divmod(span, timedelta(minutes=1))
    if rest:
        raise NotUnderstoodError(f"{span} is not in whole minutes")
    return count


def window(reach: timedelta, offset: timedelta | None) -> Window:
    """Return which minutes a range that is open on the left reaches."""
    minute, back = timedelta(minutes=1), offset or timedelta()
    return (-back - reach) // minute + 1, -back // minute


def _back(offset: timedelta | None) -> int:
    """Return how many minutes ago the last minute of an offset was."""
    back = -(-(offset or timedelta()) // timedelta(minutes=1))
    if back < 0:
        raise NotUnderstoodError("a negative offset")
    return back


def _matcher(matcher: parser.Matcher) -> Callable[[str], bool]:
    kind, text = str(matcher.op).rpartition(".")[2], matcher.value
    if kind in ("Equal", "NotEqual"):
        return (lambda given: given == text) if kind == "Equal" else (lambda given: given != text)
    flags = re.IGNORECASE if text.startswith("(?i)") else 0  # which Python only takes before everything
    pattern = re.compile(text.removeprefix("(?i)"), flags)
    return lambda given: bool(pattern.fullmatch(given)) == (kind == "Re")


def _add(into: Vector, key: Labels, values: Array) -> None:
    """Put values into a vector, where they are not all missing; those of the same labels must be at other times."""
    there = ~np.isnan(values)
    if not there.any():
        return
    if key in into:
        if (there & ~np.isnan(into[key])).any():
            raise NotUnderstoodError(f"two samples of {dict(key)} at one time")
        values = np.where(there, values, into[key])
    into[key] = values


class Year:
    """The series of some time: those that were scraped, and those that rules record of them."""

    def __init__(self, start: int, length: int) -> None:
        """Begin with nothing, at a time in seconds since 1970, for some minutes."""
        self.length = length
        self.seconds: Array = start + 60.0 * np.arange(length, dtype=np.float64)
        self._first = start // 60
        self._series: dict[str, Vector] = defaultdict(dict)
        self._every: dict[Labels, int] = {}

    def put(self, name: str, others: Mapping[str, str], values: Array) -> None:
        """Take a series as it was scraped."""
        _add(self._series[name], labels(name, others), np.asarray(values, float))

    def recorded(self, name: str) -> Vector:
        """Return the series of a name."""
        return self._series[name]

    def run(self, groups: Sequence[Mapping[str, Any]], keep: Iterable[str] = ()) -> list[Alert]:
        """Evaluate groups of rules in their order; return the alerts that fired.

        What is recorded goes as soon as no later rule reads it, but for the names to keep.
        """
        rules = [(rule, _every(group)) for group in groups for rule in group["rules"]]
        last = _last_readers([rule for rule, _ in rules])
        alerts: list[Alert] = []
        for number, (rule, every) in enumerate(rules):
            try:
                result = self.vector(parsed(rule["expr"]))
            except NotUnderstoodError as error:
                raise NotUnderstoodError(f"{rule.get('record') or rule['alert']}: {error}") from None
            if every > 1:
                if "alert" in rule:
                    raise NotUnderstoodError(f"{rule['alert']}: not every minute")
                at = (np.arange(self.length) + self._first) % every == 0
                result = {key: np.where(at, values, np.nan) for key, values in result.items()}
            if "record" in rule:
                self._record(rule, result, every)
            else:
                alerts.extend(_fired(rule, result))
            for name in [name for name, reader in last.items() if reader <= number and name not in keep]:
                self._series.pop(name, None)
                del last[name]
        return alerts

    def _record(self, rule: Mapping[str, Any], result: Vector, every: int) -> None:
        name, own = rule["record"], rule.get("labels") or {}
        for key, values in result.items():
            recorded = labels(name, {**dict(key), **own})
            self._every[recorded] = every
            _add(self._series[name], recorded, values)

    def vector(self, node: Any) -> Vector:
        """Compute an expression that gives an instant vector."""
        kind = type(node).__name__
        if kind == "ParenExpr":
            return self.vector(node.expr)
        if kind == "VectorSelector":
            return self._selected(node)
        if kind == "UnaryExpr":
            return {_nameless(key): -values for key, values in self.vector(node.expr).items()}
        if kind == "AggregateExpr":
            return self._aggregate(node)
        if kind == "Call":
            return self._call(node)
        if kind == "BinaryExpr":
            return self._binary(node)
        raise NotUnderstoodError(kind)

    def _matching(self, node: Any) -> Vector:
        if node.at or node.matchers.or_matchers or not node.name:
            raise NotUnderstoodError("a selector with @, or, or without a name")
        found = self._series.get(node.name, {})
        for matcher in node.matchers.matchers:
            fits = _matcher(matcher)
            found = {key: values for key, values in found.items() if fits(dict(key).get(matcher.name, ""))}
        return found

    def _selected(self, node: Any) -> Vector:
        found, back = self._matching(node), _back(node.offset)
        return {key: shifted(self._standing(key, values), back) for key, values in found.items()}

    def _standing(self, key: Labels, values: Array) -> Array:
        """Return a series as it is seen: a sample stands until the next, or for as long as one counts."""
        every = min(self._every.get(key, 1), LOOKBACK)
        return last_over_time(values, (1 - every, 0)) if every > 1 else values

    def _ranged(self, node: Any) -> tuple[Vector, Window]:
        if type(node).__name__ == "MatrixSelector":
            return self._matching(node.vector_selector), window(node.range, node.vector_selector.offset)
        if type(node).__name__ != "SubqueryExpr" or node.at or not node.step:
            raise NotUnderstoodError(type(node).__name__)
        steps = (np.arange(self.length) + self._first) % minutes(node.step) == 0
        inner = self.vector(node.expr)
        return {key: np.where(steps, values, np.nan) for key, values in inner.items()}, window(
            node.range, node.offset
        )

    def _call(self, node: Any) -> Vector:
        name, given = node.func.name, node.args
        result: Vector = {}
        if name in OVER_TIME:
            ranged, reach = self._ranged(given[0])
            for key, values in ranged.items():
                _add(result, key if name in _KEEP_NAME else _nameless(key), OVER_TIME[name](values, reach))
        elif name in ("clamp", "clamp_min", "clamp_max"):
            least = given[1].val if name != "clamp_max" else -np.inf
            most = given[-1].val if name != "clamp_min" else np.inf
            for key, values in self.vector(given[0]).items():
                _add(result, _nameless(key), np.clip(values, least, most))
        elif name == "label_replace":
            into, replacement, source, pattern = (argument.val for argument in given[1:])
            for key, values in self.vector(given[0]).items():
                _add(result, _replaced(key, into, replacement, source, pattern), values)
        elif name == "absent":
            there = np.zeros(self.length, bool)
            for values in self.vector(given[0]).values():
                there |= ~np.isnan(values)
            _add(result, (), np.where(there, np.nan, 1.0))
        elif name in ("increase", "rate") and not self._ranged(given[0])[0]:
            pass  # of nothing it is nothing
        else:
            raise NotUnderstoodError(name)
        return result

    def _aggregate(self, node: Any) -> Vector:
        groups: dict[Labels, list[Array]] = defaultdict(list)
        names, keep = (), True
        if node.modifier:
            names, keep = tuple(node.modifier.labels), str(node.modifier.type).endswith("By")
        for key, values in self.vector(node.expr).items():
            groups[_only(key, names) if keep else _without(key, (*names, NAME))].append(values)
        name = str(node.op)
        if name == "quantile":
            return {key: _quantile(node.param.val, many) for key, many in groups.items()}
        if name not in _AGGREGATIONS:
            raise NotUnderstoodError(name)
        return {key: _AGGREGATIONS[name](many) for key, many in groups.items()}

    def _scalar(self, node: Any) -> float | Array | None:
        """Return the value of a scalar expression; None where it is none."""
        kind = type(node).__name__
        if kind == "NumberLiteral":
            return float(node.val)
        if kind == "ParenExpr":
            return self._scalar(node.expr)
        if kind == "UnaryExpr":
            inner = self._scalar(node.expr)
            return None if inner is None else -inner
        if kind == "Call" and node.func.name == "time":
            return self.seconds
        if kind == "BinaryExpr" and str(node.op) in _ARITHMETIC:
            left, right = self._scalar(node.lhs), self._scalar(node.rhs)
            if left is not None and right is not None:
                result: float | Array = _ARITHMETIC[str(node.op)](left, right)
                return result
        return None

    def _binary(self, node: Any) -> Vector:
        name = str(node.op)
        left, right = self._scalar(node.lhs), self._scalar(node.rhs)
        if node.modifier and node.modifier.return_bool:
            raise NotUnderstoodError("bool")
        if left is None and right is None:
            both = self.vector(node.lhs), self.vector(node.rhs)
            return (
                _sets(name, node.modifier, *both) if name in _SETS else _matched(name, node.modifier, *both)
            )
        if left is not None and right is not None:
            raise NotUnderstoodError("an expression of scalars only")
        result: Vector = {}
        for key, values in self.vector(node.rhs if right is None else node.lhs).items():
            pair = (values, right) if right is not None else (left, values)
            _add(result, *_computed(name, key, values, pair))
        return result


def _every(group: Mapping[str, Any]) -> int:
    """Return the interval of a group, in minutes."""
    text = str(group.get("interval", "1m"))
    if set(group) - {"name", "interval", "rules"} or not re.fullmatch(r"\d+m", text):
        raise NotUnderstoodError(f"group {group['name']}: an interval of {text}, or another key")
    return int(text[:-1])


def _last_readers(rules: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return which rule is the last to read a name, by their number; refuse one that reads what comes after it."""
    last: dict[str, int] = {}
    recorded = {rule["record"]: number for number, rule in enumerate(rules) if "record" in rule}
    for number, rule in enumerate(rules):
        for name in {selector.name or "" for selector in selectors(rule["expr"])}:
            if recorded.get(name, -1) >= number or name.startswith("ALERTS"):
                raise NotUnderstoodError(
                    f"{rule.get('record') or rule['alert']} reads {name}, which comes later"
                )
            last[name] = number
    return last


def _fired(rule: Mapping[str, Any], result: Vector) -> Iterable[Alert]:
    """Yield when an alert fired: where its expression was true for as long as `for` says."""
    hold = minutes(parser.parse_duration(rule["for"])) if "for" in rule else 0
    if "keep_firing_for" in rule:
        raise NotUnderstoodError(f"{rule['alert']}: keep_firing_for")
    own = rule.get("labels") or {}
    together: Vector = {}
    for key, values in result.items():
        _add(together, labels("", {**dict(key), **own, NAME: ""}), values)
    for key, values in together.items():
        firing = [(begin + hold, end) for begin, end in runs(~np.isnan(values)) if end - begin > hold]
        if firing:
            yield Alert(rule["alert"], own.get("severity", ""), dict(key), firing)


def _replaced(key: Labels, into: str, replacement: str, source: str, pattern: str) -> Labels:
    found = re.fullmatch(pattern, dict(key).get(source, ""))
    if not found:
        return key
    text = found.expand(re.sub(r"\$(\d+)", r"\\\1", replacement))
    return tuple(sorted(pair for pair in {**dict(key), into: text}.items() if pair[1]))


def _computed(
    name: str, key: Labels, kept: Array, pair: tuple[float | Array | None, float | Array | None]
) -> tuple[Labels, Array]:
    """Compute one pair: a number without its name, or what a comparison keeps, with it."""
    with np.errstate(all="ignore"):
        if name in _COMPARISONS:
            return key, np.where(_COMPARISONS[name](*pair), kept, np.nan)
        if name in _ARITHMETIC:
            return _nameless(key), _ARITHMETIC[name](*pair)
    raise NotUnderstoodError(name)


def _signature(modifier: Any) -> Callable[[Labels], Labels]:
    """Return how the labels are found by which the two sides match."""
    if not modifier or not modifier.matching:
        return _nameless
    names = tuple(modifier.matching.labels)
    if str(modifier.matching.type).endswith("Include"):
        return lambda key: _only(key, names)
    return lambda key: _without(key, (*names, NAME))


def _by_signature(
    side: Vector, signature: Callable[[Labels], Labels]
) -> dict[Labels, list[tuple[Labels, Array]]]:
    found: dict[Labels, list[tuple[Labels, Array]]] = defaultdict(list)
    for key, values in side.items():
        found[signature(key)].append((key, values))
    return found


def _present(many: Iterable[tuple[Labels, Array]], length: int) -> Mask:
    mask = np.zeros(length, bool)
    for _, values in many:
        mask |= ~np.isnan(values)
    return mask


def _sets(name: str, modifier: Any, left: Vector, right: Vector) -> Vector:
    signature = _signature(modifier)
    other = _by_signature(right if name != "or" else left, signature)
    result: Vector = dict(left) if name == "or" else {}
    masks: dict[Labels, Mask] = {}
    for key, values in (right if name == "or" else left).items():
        of = signature(key)
        if of not in other:
            if name != "and":
                _add(result, key, values)
            continue
        if of not in masks:
            masks[of] = _present(other[of], len(values))
        _add(result, key, np.where(masks[of] == (name == "and"), values, np.nan))
    return result


def _matched(name: str, modifier: Any, left: Vector, right: Vector) -> Vector:
    """Compute pairs of samples that match, one to one or one to many."""
    signature = _signature(modifier)
    card = str(modifier.card).rpartition(".")[2] if modifier else "OneToOne"
    one_left = card == "OneToMany"
    many, one = (right, left) if one_left else (left, right)
    others, result = _by_signature(one, signature), Vector()
    for of, candidates in others.items():
        if len(candidates) > 1 and np.sum([~np.isnan(values) for _, values in candidates], axis=0).max() > 1:
            raise NotUnderstoodError(f"two samples at one time for {dict(of)} on the side of one")
    for key, values in many.items():
        for other, theirs in others.get(signature(key), ()):
            pair = (theirs, values) if one_left else (values, theirs)
            there = ~np.isnan(values) & ~np.isnan(theirs)
            found, computed = _computed(name, key, pair[0], pair)
            if card == "OneToOne":
                found = _kept(found, modifier)
            else:
                for extra in modifier.group_labels.labels if modifier.group_labels else ():
                    text = dict(other).get(extra, "")
                    found = tuple(sorted((*_without(found, (extra,)), *([(extra, text)] if text else []))))
            _add(result, found, np.where(there, computed, np.nan))
    return result


def _kept(key: Labels, modifier: Any) -> Labels:
    """Return the labels of a result of one to one: those that both sides have."""
    if not modifier or not modifier.matching:
        return key
    names = tuple(modifier.matching.labels)
    if str(modifier.matching.type).endswith("Include"):
        return _only(key, names)
    return _without(key, names)


def _total(many: Sequence[Array]) -> Array:
    there = ~np.isnan(np.stack(many))
    result: Array = np.where(there.any(axis=0), np.where(there, np.stack(many), 0).sum(axis=0), np.nan)
    return result


def _count(many: Sequence[Array]) -> Array:
    count = (~np.isnan(np.stack(many))).sum(axis=0)
    return np.where(count > 0, count, np.nan)


def _group(many: Sequence[Array]) -> Array:
    return np.where((~np.isnan(np.stack(many))).any(axis=0), 1.0, np.nan)


def _quantile(share: float, many: Sequence[Array]) -> Array:
    """Return a quantile of the samples that are there, interpolated between the two next to it."""
    ordered = np.sort(np.stack(many), axis=0)  # what is missing comes last
    count = (~np.isnan(ordered)).sum(axis=0)
    rank = np.maximum(share * (count - 1), 0)
    low = np.floor(rank).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    at = np.arange(ordered.shape[1])
    below, above = ordered[low, at], ordered[high, at]
    weight = rank - low
    result: Array = below * (1 - weight) + above * weight
    return result


_AGGREGATIONS: dict[str, Callable[[Sequence[Array]], Array]] = {
    "sum": _total,
    "min": lambda many: np.fmin.reduce(np.stack(many)),
    "max": lambda many: np.fmax.reduce(np.stack(many)),
    "count": _count,
    "group": _group,
}

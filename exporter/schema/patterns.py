"""Regular expressions for a part of a text: which are taken, and what they find. The only user of `regex`.

That library stops at a time limit, which Python's own has not: some short patterns take years over a short text.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from re import _constants as sre  # type: ignore[attr-defined] # the stubs lack it
from re import _parser as parser  # type: ignore[attr-defined] # the stubs lack it
from typing import Any

MAX_TEXT = 200
"""Longest text, in characters, that becomes a label value or that a pattern looks at."""

_MAX_PATTERN = 500
_SECONDS = 0.02
_ESCAPED = re.compile(r"\\.|\[\^?\]?(\\.|[^\]\\])*\]", re.DOTALL)
_BRACE = re.compile(r"\{(?![0-9]*,?[0-9]*\})")
_SIGNS = "+-.,\N{MINUS SIGN}"
_DIGITS = "0123456789\N{ARABIC-INDIC DIGIT THREE}"
_BETWEEN = " \N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}'\N{RIGHT SINGLE QUOTATION MARK}_eE"
"""What stands inside of numbers, beside digits and signs: it does not show where one ends."""

_REPEATS: tuple[Any, ...] = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    sre.CATEGORY_DIGIT: str.isdecimal,
    sre.CATEGORY_NOT_DIGIT: lambda sign: not sign.isdecimal(),
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_NOT_SPACE: lambda sign: not sign.isspace(),
    sre.CATEGORY_WORD: lambda sign: sign.isalnum() or sign == "_",
    sre.CATEGORY_NOT_WORD: lambda sign: not (sign.isalnum() or sign == "_"),
}


class TooSlowError(Exception):
    """A pattern took longer than any useful one does."""


def find(pattern: str, text: str) -> str | None:
    """Return the group of a pattern that describes the whole of a text, None where it does not.

    Raise `TooSlowError` after 20 ms of this thread's own time.
    """
    import regex  # noqa: PLC0415 - few definitions have a pattern, and it loads slowly

    if len(text) > MAX_TEXT:
        return None
    begun = time.thread_time()
    while True:
        try:
            match = regex.fullmatch(pattern, text, timeout=_SECONDS)
        except TimeoutError:
            # The library counts the time in which a busy machine let others run too.
            if time.thread_time() - begun < _SECONDS:
                continue
            raise TooSlowError from None
        return match[1] if match else None


def text_pattern(pattern: str) -> str:
    """Accept a regular expression with one group; raise ValueError for any other."""
    _parsed(pattern)
    return pattern


def number_pattern(pattern: str) -> str:
    """Accept a regular expression whose one group is a whole number; raise ValueError for any other.

    What stands around the group must not be able to match a part of the number: `.*([0-9.]+)` finds 0 in 100.
    """
    if _cuts(_parsed(pattern)):
        raise ValueError(
            "can match a digit, point or sign of the number outside of its group; put what may be part of the "
            "number into the group, and name the text around it, as in 'Balance: (-?[0-9.]+) EUR'"
        )
    return pattern


def _parsed(pattern: str) -> Any:
    import regex  # noqa: PLC0415 - as above

    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"must have at most {_MAX_PATTERN} characters")
    try:
        tree = parser.parse(pattern)
        regex.compile(pattern)
    except (re.error, regex.error, RecursionError, OverflowError):
        raise ValueError("is not a regular expression") from None
    if tree.state.groups != 2:  # noqa: PLR2004 - the whole match counts as one
        raise ValueError("must have exactly one group, around the wanted part")
    if _BRACE.search(_ESCAPED.sub("x", pattern)):
        # To the library that matches, other braces mean an approximate match.
        raise ValueError("holds a brace as it stands; write \\{ for it")
    if _around_group(tree) is None:
        raise ValueError("must not repeat its group, nor look ahead or behind with it")
    return tree


def _around_group(node: Any) -> list[tuple[Sequence[Any], Sequence[Any]]] | None:
    """Return what stands before and after the group, the nearest first; None where the group is repeated."""
    for index, (kind, value) in enumerate(node):
        for inner, own in _inside(kind, value):
            around = [] if own else _around_group(inner)
            if around is not None:
                return [*around, (node[:index], node[index + 1 :])]
    return None


def _inside(kind: Any, value: Any) -> Iterator[tuple[Any, bool]]:
    """Yield the sequences in an item that match once, and whether each is the group itself."""
    if kind is sre.SUBPATTERN:
        yield value[-1], value[0] is not None
    elif kind is sre.ATOMIC_GROUP:
        yield value, False
    elif kind is sre.BRANCH:
        yield from ((branch, False) for branch in value[1])
    elif kind in _REPEATS and value[1] == 1:
        yield value[2], False


def _cuts(tree: Any) -> bool:
    """Return whether something beside the group can match a part of the number that the group begins."""
    around = _around_group(tree) or []
    before = [item for items, _ in around for item in reversed(items)]
    after = [item for _, items in around for item in items]
    return _walk(before, _Side(backwards=True))[0] or _walk(after, _Side(backwards=False))[0]


@dataclass(frozen=True)
class _Side:
    """Where a walk leads to, and whether each item that it meets is there exactly once."""

    backwards: bool
    once: bool = True

    def ordered(self, items: Any) -> list[Any]:
        return list(reversed(items)) if self.backwards else list(items)


def _walk(items: Sequence[Any], side: _Side) -> tuple[bool, bool]:
    """Walk away from the number, up to what cannot stand in one.

    Return whether something that is passed can match a part of the number, and whether the number's end was met.
    """
    for kind, value in items:
        if kind in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            continue
        if kind is sre.LITERAL and chr(value) in _DIGITS and side.once:
            # A digit that the pattern spells out belongs to the text, not to the number.
            continue
        cuts, ends = _step(kind, value, side)
        if cuts or ends:
            return cuts, ends
    return False, False


def _step(kind: Any, value: Any, side: _Side) -> tuple[bool, bool]:
    perhaps = replace(side, once=False)
    if matches := _matcher(kind, value):
        return any(map(matches, _DIGITS + _SIGNS)), not any(map(matches, _DIGITS + _SIGNS + _BETWEEN))
    if kind is sre.BRANCH:
        found = [_walk(perhaps.ordered(branch), perhaps) for branch in value[1]]
        return any(cuts for cuts, _ in found), all(ends for _, ends in found)
    if kind in _REPEATS:
        least, _, inner = value
        cuts, ends = _walk(perhaps.ordered(inner), perhaps)
        return cuts, ends and least > 0
    if kind is sre.SUBPATTERN:
        return _walk(side.ordered(value[-1]), side)
    if kind is sre.ATOMIC_GROUP:
        return _walk(side.ordered(value), side)
    # Every other kind of item refers to the group.
    return True, False


def _matcher(kind: Any, value: Any) -> Callable[[str], bool] | None:
    """Return a function that says whether an item matches a character; None for an item of another kind."""
    if kind is sre.IN:
        members = [_matcher(*item) for item in value if item[0] is not sre.NEGATE]
        negated = len(members) != len(value)
        return lambda sign: any(member and member(sign) for member in members) != negated
    if kind is sre.CATEGORY:
        return _CATEGORIES[value]
    return {
        sre.ANY: lambda _: True,
        sre.LITERAL: lambda sign: ord(sign) == value,
        sre.NOT_LITERAL: lambda sign: ord(sign) != value,
        sre.RANGE: lambda sign: value[0] <= ord(sign) <= value[1],
    }.get(kind)

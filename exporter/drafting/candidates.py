"""What in an answer may be the balance."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from exporter.drafting.steps import Steps, expression, words
from exporter.extract.echoes import contains_secret
from exporter.schema.fields import NUMBER
from exporter.schema.patterns import MAX_TEXT, TooSlowError, find, number_pattern

_BALANCE = {
    **dict.fromkeys(("balance", "saldo", "balances", "guthaben", "solde"), 10),
    **dict.fromkeys(("available", "remaining", "remained", "remain", "spendable"), 8),
    **dict.fromkeys(("credit", "credits", "left", "funds", "cash"), 7),
    **dict.fromkeys(("wallet", "amount", "prepaid", "money", "units", "points", "tokens"), 4),
    **dict.fromkeys(("total", "value", "current", "usd", "eur"), 1),
}
"""Words that a balance is called by; of several in a name the strongest counts."""

_SPENDABLE = frozenset({"available", "spendable"})
_SOMETHING_ELSE = {
    **dict.fromkeys(
        ("pending", "debt", "owed", "invoice", "reserved", "hold", "bonus", "free", "granted"), -4
    ),
    **dict.fromkeys(("used", "usage", "spent", "consumed", "spend", "cost", "price", "charges"), -8),
    **dict.fromkeys(
        ("limit", "threshold", "min", "max", "minimum", "maximum", "recharge", "topup", "alert"), -8
    ),
    **dict.fromkeys(
        ("count", "rate", "percent", "percentage", "page", "per", "version", "status", "code"), -12
    ),
    **dict.fromkeys(
        ("concurrent", "concurrency", "failed", "error", "errno", "port", "number", "phone"), -15
    ),
    **dict.fromkeys(
        ("id", "uid", "user", "zip", "time", "timestamp", "date", "at", "created", "updated"), -25
    ),
    **dict.fromkeys(("expires", "expiry", "expiration", "reset", "resets", "until", "since", "ttl"), -25),
}
"""Words of numbers that are none; all of them count."""

_UNITS = {
    "credit": "CREDITS",
    "credits": "CREDITS",
    "tokens": "TOKENS",
    "characters": "CHARACTERS",
    "sms": "SMS",
    "points": "POINTS",
    "minutes": "MINUTES",
}
_CENTS = frozenset({"cent", "cents", "pence", "kopecks", "paise", "centavos"})
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_COMMA = re.compile(r"[-+]?\d+,\d+")
_POINTS = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+,\d+")
_NUMBER_IN_TEXT = re.compile(r"(?<![\w.,])[-+]?\d(?:[\d.,]*\d)?(?![\d])")
_BEFORE = re.compile(r"(?:[^\W\d_]+)?[^\w]*\Z")
_AFTER = re.compile(r"[^\w]*(?:[^\W\d_]+)?")
_SPECIAL = re.compile(r"([.^$*+?{}\[\]\\|()])")
_SENTENCE = 40
_LONG_NUMBER = re.compile(r"\d{4}|.@")


@dataclass(frozen=True)
class Candidate:
    """A number of an answer; `spec` is how a definition reads it beside its path, `unit` what its name says of it."""

    steps: Steps
    value: Decimal
    score: float
    spec: tuple[tuple[str, str | float], ...] = ()
    unit: str = ""
    written: str = field(default="", repr=False)
    """The text that it stands in, as far as the definition names it."""

    @property
    def is_in_cents(self) -> bool:
        """Return whether it is read as hundredths, since its name says so."""
        return "scale" in dict(self.spec)

    @property
    def items(self) -> str | None:
        """Return the path of the list that it stands in; None without one."""
        if None not in self.steps:
            return None
        last = len(self.steps) - 1 - self.steps[::-1].index(None)
        nested = None in self.steps[:last]
        return expression(self.steps[: last + 1] if nested else self.steps[:last])

    @property
    def path(self) -> str:
        """Return the path within its list, or within the document."""
        last = len(self.steps) - self.steps[::-1].index(None) if None in self.steps else 0
        return expression(self.steps[last:])


def candidates(document: Any, secrets: Collection[str], *, text: bool) -> list[Candidate]:
    """List the numbers of an answer that a definition can read, the likeliest balance first."""
    found = _in_text(document["text"]) if text else _numbers(document, ())
    kept = [
        one
        for one in found
        if not any(contains_secret(text, secrets) for text in (one.written, *filter(None, one.steps)))
    ]
    return sorted(kept, key=lambda one: -one.score)


def is_ordinary(name: str) -> bool:
    """Return whether a field has the name that it has for everybody: an address or a long number is a customer's."""
    return not _LONG_NUMBER.search(name)


def _numbers(node: Any, steps: Steps) -> Iterator[Candidate]:
    if isinstance(node, dict):
        for key, value in node.items():
            if is_ordinary(key):
                yield from _numbers(value, (*steps, key))
    elif isinstance(node, list):
        # The elements of a list are alike, and only objects can be wallets.
        first = next((one for one in node if isinstance(one, dict)), None)
        yield from _numbers(first, (*steps, None))
    elif read := _read(node):
        names = [step for step in steps if step is not None and step != "#text"]
        score = _score(names, isinstance(node, str))
        spec = (*read.spec, ("scale", 0.01)) if _counts_cents(names, read.value) else read.spec
        unit = read.unit or _unit(names)
        yield replace(read, steps=steps, score=score, spec=spec, unit=unit, written=str(node))


def _counts_cents(names: list[str], value: Decimal) -> bool:
    """Return whether a whole number is called cents; 12.50 of them is an amount that is only called so."""
    return bool(names) and not _CENTS.isdisjoint(words(names[-1])) and value == value.to_integral_value()


def _read(node: Any) -> Candidate | None:
    """Read a number, a text that is one, or a short text with one in it."""
    if isinstance(node, bool) or node is None:
        return None
    if isinstance(node, int | Decimal):
        return Candidate((), Decimal(node), 0)
    text = str(node).strip()
    if read := _digits(text):
        return Candidate((), read[0], 0, read[1])
    if len(text) > _SENTENCE or not text.isprintable() or len(_NUMBER_IN_TEXT.findall(text)) > 1:
        return None
    return next(_in_text(text), None)


def _digits(text: str) -> tuple[Decimal, tuple[tuple[str, str], ...]] | None:
    """Read a number as it is written, and say how."""
    if NUMBER.fullmatch(text):
        return Decimal(text), ()
    if _GROUPED.fullmatch(text):
        return Decimal(text.replace(",", "")), (("grouping", ","),)
    if _POINTS.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", ".")), (("grouping", "."), ("decimal", ","))
    if _COMMA.fullmatch(text):
        return Decimal(text.replace(",", ".")), (("decimal", ","),)
    return None


def _in_text(text: str) -> Iterator[Candidate]:
    """Yield the numbers in a text, each with the pattern that finds it."""
    if len(text) > MAX_TEXT:
        return
    for match in _NUMBER_IN_TEXT.finditer(text):
        read = _digits(match[0])
        if read is None:
            continue
        before, after = text[: match.start()], text[match.end() :]
        near_before, near_after = (_BEFORE.search(before) or [""])[0], (_AFTER.match(after) or [""])[0]
        names = words(near_before) or words(near_after)
        score = _score(names, True) + 1  # noqa: FBT003 - it is written as a text
        unit = _unit(words(near_after)) or _unit(words(near_before))
        if before or after:
            digits = "(-?[0-9" + "".join(sorted({sign for sign in match[0] if sign in ".,"} | {"."})) + "]+)"
            pattern = (
                ("(?s:.*)" if len(before) > len(near_before) else "")
                + _literal(near_before)
                + digits
                + _literal(near_after)
                + ("(?s:.*)" if len(after) > len(near_after) else "")
            )
            if not _finds(pattern, text, match[0]):
                continue
            written = near_before + match[0] + near_after
            yield Candidate(("text",), read[0], score, (("pattern", pattern), *read[1]), unit, written)
        else:
            yield Candidate(("text",), read[0], score, read[1], unit, text)


def _literal(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _finds(pattern: str, text: str, wanted: str) -> bool:
    try:
        return find(number_pattern(pattern), text) == wanted
    except (ValueError, TooSlowError):
        return False


def _score(names: list[str], text: bool) -> float:  # noqa: FBT001 - how it is written
    """Return how likely a number with these names around it is a balance: its own name counts most."""
    score = 0.5 if text else 0.0
    for distance, name in enumerate(reversed(names)):
        said = words(name)
        best = max((_BALANCE.get(word, 0) for word in said), default=0)
        more = 2 if best == _BALANCE["balance"] and _SPENDABLE & set(said) else 0
        score += (best + more + sum(_SOMETHING_ELSE.get(word, 0) for word in said)) / (1 + 2 * distance)
    # A plain `balance` comes before what has more to say of itself.
    return score - max(len(words(names[-1])) - 1, 0) if names else score


def _unit(names: list[str]) -> str:
    """Return the unit that the name of a number says, such as `balance_usd` or `sms_left`; empty without one."""
    for name in reversed(names[-2:]):
        for word in words(name):
            if word.upper() in ("USD", "EUR", "GBP"):
                return word.upper()
        for word in words(name):
            if word in _UNITS:
                return _UNITS[word]
    return ""

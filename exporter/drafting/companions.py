"""What goes with a number of an answer: its currency, its list, what says that all is well, and further pages."""

from collections.abc import Iterator
from typing import Any

from exporter.drafting.candidates import Candidate
from exporter.drafting.steps import Steps, expression, nodes, words
from exporter.schema.currencies import is_currency
from exporter.schema.fields import UNIT

_FURTHER = frozenset(
    {"next", "next page", "next cursor", "next token", "next page token", "next url", "has more", "has next"}
)
_ID = ("id", "uuid", "wallet_id", "walletId", "account_id", "name", "type", "@id", "@name")
_STATES = frozenset({"success", "ok", "succeeded", "status", "result", "state"})
_GOOD_WORDS = frozenset({"ok", "success", "successful", "succeeded", "true"})


def currency(document: Any, chosen: Candidate) -> str | None:
    """Return the path of the currency that stands nearest to a number; None where none does."""
    way = list(nodes(document, chosen.steps[:-1]))
    last = len(chosen.steps) - 1 - chosen.steps[::-1].index(None) if None in chosen.steps else -1
    for depth in range(len(way) - 1, -1, -1):
        node, steps = way[depth], chosen.steps[:depth]
        name = _currency_in(node) if isinstance(node, dict) else None
        if name is None:
            continue
        if depth > last:
            return expression((*steps[last + 1 :], name))
        if None not in steps:
            return f'"$".{expression((*steps, name))}'
    return None


def _currency_in(node: dict[str, Any]) -> str | None:
    texts = {name: value for name, value in node.items() if isinstance(value, str)}
    named = [name for name, value in texts.items() if _names_currency(name, value)]
    return next(iter([*named, *(name for name, value in texts.items() if is_currency(value))]), None)


def _names_currency(name: str, value: Any) -> bool:
    named = {"currency", "unit", "curr", "ccy"} & set(words(name))
    return bool(named) and isinstance(value, str) and bool(UNIT.fullmatch(value.strip().upper()))


def units(node: Any) -> Iterator[str]:
    """Yield the currencies and units that a document names."""
    for name, value in (
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    ):
        if _names_currency(str(name), value):
            yield value
        yield from units(value)


def identity(document: Any, chosen: Candidate) -> str | None:
    """Return the field that tells the wallets of a list apart; None where none does."""
    if None not in chosen.steps:
        return None
    last = len(chosen.steps) - 1 - chosen.steps[::-1].index(None)
    *_, listed = nodes(document, chosen.steps[:last])
    items = [one for one in listed if isinstance(one, dict)]
    names = dict.fromkeys(
        [*_ID, *(name for name in items[0] if words(name)[-1:] in (["id"], ["name"], ["type"]))]
    )
    for name in names:
        values = [one.get(name) for one in items]
        if all(isinstance(value, str | int) for value in values) and len(set(map(str, values))) == len(items):
            return expression((name,))
    return None


def success(document: Any, root: Steps = ()) -> dict[str, Any] | None:
    """Return the rule of success that an answer shows, at its begin or in its one object; None where it shows none."""
    if not isinstance(document, dict):
        return None
    for name, value in document.items():
        path = expression((*root, name))
        if name.lower().removeprefix("@") in _STATES and _is_good(value):
            return {"path": path, "equals": [value]}
        if name.lower() in ("error", "errors", "error_message", "errormessage") and value is None:
            return {"path": path, "absent": True}
        if name in ("code", "errorId", "errorCode", "error_code", "ret", "errno") and value in (0, "0"):
            return {"path": path, "equals": [value]}
    (name, *more) = document or ("",)
    return success(document[name], (*root, name)) if name and not more else None


def further(document: Any) -> str | None:
    """Return the name of what says that there are further pages; None where nothing does."""
    if not isinstance(document, dict):
        return None
    for name, value in document.items():
        if " ".join(words(name)) in _FURTHER and value not in (None, "", False):
            return str(name)
    return next(filter(None, map(further, document.values())), None)


def _is_good(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in _GOOD_WORDS)

"""Every change of every single node of an answer."""

import copy
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property, partial
from typing import Any

import jmespath
import pytest
import xmltodict

from exporter.extract.documents import parse
from exporter.providers.definition import Definition

Path = tuple[str | int, ...]
DELETE = object()
RAW = "raw:"
"""A text that begins with it stands for JSON that no Python value writes."""
REPLACEMENTS: Mapping[str, Any] = {
    "left out": DELETE,
    "null": None,
    "an empty text": "",
    "an empty list": [],
    "true": True,
    "minus one": -1,
    "NaN as text": "NaN",
    "a text of 10,000 characters": "x" * 10_000,
    "a lone surrogate": "\ud800",
    "a control character": "a\u0000\r\nb",
    "nested objects": {"balance": {"amount": ["deep", {"er": None}]}},
    "1e400": f"{RAW}1e400",
    "-1e400": f"{RAW}-1e400",
    "1e-400": f"{RAW}1e-400",
    "an exponent beyond all bounds": f"{RAW}1e99999999999999999999",
    "5,000 digits": RAW + "9" * 5000,
    "the constant NaN": f"{RAW}NaN",
    "the constant Infinity": f"{RAW}-Infinity",
    "10,000 lists in each other": RAW + "[" * 10_000 + "]" * 10_000,
    "thousands separators": "1,234.56",
}
KINDS = ("left out", "null", "an empty text", "an empty list", "true", "minus one", "nested objects")
"""What is nothing, or another kind of thing: what comes of it depends on all else in the answer."""
SPELLINGS = tuple(change for change in REPLACEMENTS if change not in KINDS)
"""Values as they may be written: how one is read does not depend on what stands beside it."""
WRITTEN = {
    change: (
        value.removeprefix(RAW) if isinstance(value, str) and value.startswith(RAW) else json.dumps(value)
    ).encode()
    for change, value in REPLACEMENTS.items()
    if value is not DELETE
}
PLACE = "\ue000 the place of the replacement \ue000"
"""Stands in no answer."""


@dataclass(frozen=True)
class Mutation:
    """An answer after one node, at `path`, became something else; `inside` are the keys that stood in it."""

    body: bytes
    path: Path
    inside: frozenset[str]
    replacement: Any
    name: str
    document: Callable[[], Any]
    """Makes the document, which few laws look at."""

    @property
    def deletes(self) -> bool:
        return self.replacement is DELETE

    @cached_property
    def values(self) -> tuple[set[Decimal], set[str]]:
        """Return every number (numeric texts among them), and every text and key of the document."""
        document = self.document()
        leaves = [node for _, node in nodes(document) if isinstance(node, str | int | float)]
        leaves += [path[-1] for path, _ in nodes(document) if path]
        numbers = set()
        for leaf in leaves:
            try:
                numbers.add(Decimal(str(leaf)))
            except InvalidOperation:
                continue
        return {number for number in numbers if number.is_finite()}, {str(leaf) for leaf in leaves}

    def flags(self) -> set[bool]:
        """Return every true and false of the document."""
        return {node for _, node in nodes(self.document()) if isinstance(node, bool)}

    def touches(self, expressions: list[str]) -> bool:
        """Return whether one of the expressions names the node, or something that stood in it."""
        named = set().union(*map(named_keys, expressions))
        keys = [part for part in self.path if isinstance(part, str)]
        if "@" in expressions:
            # All of the item is looked at, be it only a number.
            return bool(named & {*keys, *self.inside})
        return not self.path or bool(named & {*keys[-1:], *self.inside})


class Mutations:
    """Makes the changes of a provider's answers, one after the other.

    Something of another kind is put into every node of every answer. Spellings of values are put once where a field of
    the same place in a list, with a value of the same kind, is read alike. Whoever tries a change says in `felt` that
    something came of it: a field that one answer makes the account look at may be none that counts in the next.
    """

    def __init__(self) -> None:
        self.felt = False
        self._spelt: set[Hashable] = set()

    def of(self, body: bytes, definition: Definition) -> Iterator[Mutation]:
        """Yield the changes of an answer; none where it cannot be read."""
        try:
            document = parse(body, "", definition.answer, definition.lists)
        except ValueError:
            return
        if definition.answer == "text":
            yield from _of_text(document["text"])
        elif definition.answer == "xml":
            yield from self._of_xml(document, definition)
        else:
            yield from self._of_json(json.loads(body))

    def _changes(self, path: Path, node: Any) -> Iterator[str]:
        """Yield the replacements that are worth to be tried at a node, by their names."""
        self.felt = False
        yield from KINDS
        place = tuple("*" if isinstance(part, int) else part for part in path), type(node), self.felt
        if place not in self._spelt:
            self._spelt.add(place)
            yield from SPELLINGS

    def _of_json(self, document: Any) -> Iterator[Mutation]:
        """Write the document once for each node, and put the replacements into it: this is done very often."""
        for path, node in nodes(document):
            before, after = json.dumps(_put(document, path, PLACE)).encode().split(json.dumps(PLACE).encode())
            inside = frozenset(_keys(node))
            for change in self._changes(path, node):
                replacement = REPLACEMENTS[change]
                if replacement is not DELETE:
                    body = before + WRITTEN[change] + after
                elif path:
                    body = json.dumps(_put(document, path, DELETE)).encode()
                else:
                    continue
                changed = partial(_put, document, path, replacement)
                yield Mutation(body, path, inside, replacement, f"{path} became {change}", changed)

    def _of_xml(self, document: Any, definition: Definition) -> Iterator[Mutation]:
        """Write each change as XML, where it has a way to: an attribute is no object, and the root is one element."""
        for path, node in nodes(document):
            inside = frozenset(_keys(node))
            for change in self._changes(path, node):
                replacement = REPLACEMENTS[change]
                if not path and replacement is DELETE:
                    continue
                changed = _put(document, path, replacement)
                try:
                    written = xmltodict.unparse(changed).replace(RAW, "").encode(errors="surrogatepass")
                except (ValueError, TypeError, AttributeError):
                    continue
                read = partial(_read, written, definition)
                yield Mutation(written, path, inside, replacement, f"{path} became {change}", read)


def _read(written: bytes, definition: Definition) -> Any:
    try:
        return parse(written, "", "xml", definition.lists)
    except ValueError:
        return {}


def _of_text(text: str) -> Iterator[Mutation]:
    """Cut a text everywhere, and put what is odd in its place."""
    others = {f"cut after {length}": text[:length] for length in range(len(text))}
    others |= {f"cut before {length}": text[length:] for length in range(1, len(text))}
    others |= {
        name: value.removeprefix(RAW) for name, value in REPLACEMENTS.items() if isinstance(value, str)
    }
    for name, changed in others.items():
        written = changed.encode(errors="surrogatepass")
        document: Callable[[], Any] = partial(dict, text=changed)
        yield Mutation(written, ("text",), frozenset(), changed, f"the text became {name}", document)


def nodes(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, node
    for key, inner in (
        node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    ):
        yield from nodes(inner, (*path, key))


def _put(document: Any, path: Path, replacement: Any) -> Any:
    """Return the document with something else in one place; all else in it is the same object as before."""
    if not path:
        return replacement
    changed = copy.copy(document)
    if len(path) == 1 and replacement is DELETE:
        del changed[path[0]]
    else:
        changed[path[0]] = _put(document[path[0]], path[1:], replacement)
    return changed


def _keys(node: Any) -> set[str]:
    return {part for path, _ in nodes(node) for part in path if isinstance(part, str)}


@cache
def named_keys(expression: str) -> frozenset[str]:
    """Return the keys that a JMESPath expression names."""
    return frozenset(names(jmespath.compile(expression).parsed))


def names(tree: Mapping[str, Any]) -> set[str]:
    own = {str(tree["value"])} if tree["type"] == "field" else set()
    return own.union(*(names(child) for child in tree["children"]))


@pytest.fixture
def mutations() -> Mutations:
    return Mutations()

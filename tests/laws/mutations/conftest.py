"""Every change of every single node of an answer."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
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
    "a text of 100,000 characters": "x" * 100_000,
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


@dataclass(frozen=True)
class Mutation:
    """A document after one node, at `path`, became something else; `inside` are the keys that stood in it."""

    document: Any
    path: Path
    inside: frozenset[str]
    replacement: Any
    name: str
    written: bytes | None = None
    """The document in a format that is no JSON."""

    @property
    def deletes(self) -> bool:
        return self.replacement is DELETE

    def body(self) -> bytes:
        if self.written is not None:
            return self.written
        text = json.dumps(self.document)
        if isinstance(self.replacement, str) and self.replacement.startswith(RAW):
            text = text.replace(json.dumps(self.replacement), self.replacement.removeprefix(RAW))
        return text.encode()

    def values(self) -> tuple[set[Decimal], set[str]]:
        """Return every number (numeric texts among them), and every text and key of the document."""
        leaves = [node for _, node in nodes(self.document) if isinstance(node, str | int | float)]
        leaves += [path[-1] for path, _ in nodes(self.document) if path]
        numbers = set()
        for leaf in leaves:
            try:
                numbers.add(Decimal(str(leaf)))
            except InvalidOperation:
                continue
        return {number for number in numbers if number.is_finite()}, {str(leaf) for leaf in leaves}

    def flags(self) -> set[bool]:
        """Return every true and false of the document."""
        return {node for _, node in nodes(self.document) if isinstance(node, bool)}

    def touches(self, expressions: list[str]) -> bool:
        """Return whether one of the expressions names the node, or something that stood in it."""
        named = set().union(*(names(jmespath.compile(expression).parsed) for expression in expressions))
        keys = [part for part in self.path if isinstance(part, str)]
        if "@" in expressions:
            # All of the item is looked at, be it only a number.
            return bool(named & {*keys, *self.inside})
        return not self.path or bool(named & {*keys[-1:], *self.inside})


def _mutations(body: bytes, definition: Definition) -> Iterator[Mutation]:
    try:
        document = parse(body, "", definition.answer, definition.lists)
    except ValueError:
        return
    if definition.answer == "text":
        yield from _of_text(document["text"])
        return
    if definition.answer == "xml":
        yield from _of_xml(document, definition)
        return
    document = json.loads(body)
    for path, node, change, replacement in _changes(document):
        changed = _put(copy.deepcopy(document), path, replacement)
        yield Mutation(changed, path, frozenset(_keys(node)), replacement, f"{path} became {change}")


def _changes(document: Any) -> Iterator[tuple[Path, Any, str, Any]]:
    for path, node in nodes(document):
        for change, replacement in REPLACEMENTS.items():
            if path or replacement is not DELETE:
                yield path, node, change, replacement


def _of_xml(document: Any, definition: Definition) -> Iterator[Mutation]:
    """Write each change as XML, where it has a way to: an attribute is no object, and the root is one element."""
    for path, node, change, replacement in _changes(document):
        changed = _put(copy.deepcopy(document), path, replacement)
        try:
            written = xmltodict.unparse(changed).replace(RAW, "").encode(errors="surrogatepass")
        except (ValueError, TypeError, AttributeError):
            continue
        try:
            changed = parse(written, "", "xml", definition.lists)
        except ValueError:
            changed = {}
        yield Mutation(
            changed, path, frozenset(_keys(node)), replacement, f"{path} became {change}", written=written
        )


def _of_text(text: str) -> Iterator[Mutation]:
    """Cut a text everywhere, and put what is odd in its place."""
    others = {f"cut after {length}": text[:length] for length in range(len(text))}
    others |= {f"cut before {length}": text[length:] for length in range(1, len(text))}
    others |= {
        name: value.removeprefix(RAW) for name, value in REPLACEMENTS.items() if isinstance(value, str)
    }
    for name, changed in others.items():
        written = changed.encode(errors="surrogatepass")
        yield Mutation(
            {"text": changed}, ("text",), frozenset(), changed, f"the text became {name}", written=written
        )


def nodes(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, node
    for key, inner in (
        node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    ):
        yield from nodes(inner, (*path, key))


def _put(document: Any, path: Path, replacement: Any) -> Any:
    if not path:
        return replacement
    holder = document
    for part in path[:-1]:
        holder = holder[part]
    if replacement is DELETE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = replacement
    return document


def _keys(node: Any) -> set[str]:
    return {part for path, _ in nodes(node) for part in path if isinstance(part, str)}


def names(tree: Mapping[str, Any]) -> set[str]:
    """Return the keys that a JMESPath expression names."""
    own = {str(tree["value"])} if tree["type"] == "field" else set()
    return own.union(*(names(child) for child in tree["children"]))


@pytest.fixture(scope="session")
def mutations() -> Callable[[bytes, Definition], Iterator[Mutation]]:
    return _mutations

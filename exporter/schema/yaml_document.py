"""A YAML file as plain data with the position of everything in it. The only user of the YAML library."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from exporter.files import read_file
from exporter.schema.problems import ConfigurationError, Location, Problem, dotted
from exporter.schema.signs import is_unseen, unseen
from exporter.schema.yaml_mistakes import Complaint, explained, odd

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_SIZE = 8 * 1024 * 1024
_MAX_DEPTH = 100
_MAX_VALUES = 500_000
_MAX_DIGITS = 40
_HALF = re.compile(r"[\ud800-\udfff]")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
# As YAML 1.2 spells them; `yes` and `on` of its older versions stay text.
_WORDS: Mapping[str, bool | None] = {
    spelling: value
    for word, value in (("true", True), ("false", False), ("null", None), ("~", None), ("", None))
    for spelling in (word, word.capitalize(), word.upper())
}
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")
)


@dataclass
class YamlDocument:
    """One YAML document: its plain `data`, and `problem()` to point into it.

    Only `true`, `false`, `null` and plain numbers are anything but text when they stand without quotes, so that a
    name `0123`, `+34600`, `12e5`, `yes` or `2026-01-01` stays what the operator wrote; fractions are decimals.
    """

    file: str
    data: Any = None
    _values: dict[Location, tuple[int, int]] = field(default_factory=dict)
    _keys: dict[Location, tuple[int, int]] = field(default_factory=dict)
    _quotes: dict[Location, int] = field(default_factory=dict)
    """How many quotation marks stand before a text of one line that is written as it is read."""

    def has(self, location: Location) -> bool:
        """Return whether the file has something at this location."""
        return location in self._values

    def problem(self, location: Location, message: str, *, at_key: bool = False, offset: int = 0) -> Problem:
        """Return a problem at a location, or at the nearest place around it that the file has.

        `offset` is the number of characters from the begin of a text to the mistake.
        """
        marks = self._keys if at_key and location in self._keys else self._values
        near = location
        while near and near not in marks:
            near = near[:-1]
        line, column = marks.get(near, (1, 1))
        if offset and near in self._quotes:
            column += offset + self._quotes[near]
        return Problem(self.file, line, column, dotted(location), message)


def read(path: Path) -> YamlDocument:
    """Read a YAML file; raise `ConfigurationError` when it cannot be read or is not plain YAML."""
    try:
        text = read_file(path, _MAX_SIZE).decode()
    except OSError as error:
        raise _failed(path, 0, 0, f"cannot be read: {error.strerror or 'unknown error'}") from None
    except UnicodeDecodeError as error:
        raise _failed(path, *_place(error.object[: error.start].decode()), _encoding(error.object)) from None
    try:
        if deep := _too_deep(text):
            raise _failed(path, *deep, "is nested too deeply")
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        if error.problem == "but found another document" and error.problem_mark:
            line = error.problem_mark.line + 1
            raise _failed(
                path, line, 1, "is not valid YAML: a second document begins here; a file holds one"
            ) from None
        raise _failed(path, *explained(_complaint(error), text)) from None
    except yaml.YAMLError:
        place = _place(yaml.reader.Reader.NON_PRINTABLE.split(text, maxsplit=1)[0])
        raise _failed(
            path, *place, "is not valid YAML: it has a character that YAML does not allow"
        ) from None
    source = YamlDocument(str(path))
    problems = [
        Problem(str(path), line, column, "", odd(sign)) for line, column, sign in _odd_lines(text, root)
    ]
    source.data = _plain(root, source, problems, aliases="*" in text) if root else None
    if problems:
        raise ConfigurationError(problems)
    return source


def dump(data: Any) -> str:
    """Write plain data as YAML, keys in the order given."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False))


class _Dumper(yaml.SafeDumper):
    """Puts text with invisible characters in quotes: at the begin of a line they would be refused."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if any(is_unseen(sign) for sign in value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _text)


def _too_deep(text: str) -> tuple[int, int] | None:
    """Return where the nesting is too deep. It is found by events: on the whole, the library's C code would crash."""
    # Each list and mapping has one of these at least; most files have few.
    if sum(map(text.count, "-?:[{")) <= _MAX_DEPTH:
        return None
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH and event.start_mark:
                return event.start_mark.line + 1, event.start_mark.column + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _plain(root: yaml.Node, source: YamlDocument, problems: list[Problem], *, aliases: bool) -> Any:
    """Return the plain data; note where everything is, and what is wrong; raise `ConfigurationError` for too much."""
    values, depth = _expanded(root, {}) if aliases else (0, 0)
    if depth > _MAX_DEPTH:
        raise _failed(source.file, 0, 0, "is nested too deeply by its aliases")
    try:
        if values <= _MAX_VALUES:
            return _Reader(source, problems).plain(root, ())
    except OverflowError:  # without aliases, or by those inside of what they name
        pass
    raise _failed(source.file, 0, 0, f"holds over {_MAX_VALUES:,} values, aliases counted each time")


def _expanded(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return how many values a node comes to, and how deep they are nested, when aliases are what they stand for."""
    if isinstance(node, yaml.ScalarNode):
        return 1, 1
    if id(node) not in known:
        known[id(node)] = (
            1,
            1,
        )  # what an alias inside of what it names counts for; it is refused in its place
        inner = node.value
        if isinstance(node, yaml.MappingNode):
            inner = [value for _, value in node.value]
        parts = [_expanded(one, known) for one in inner]
        known[id(node)] = (
            1 + sum(count for count, _ in parts),
            1 + max((deep for _, deep in parts), default=0),
        )
    return known[id(node)]


def _encoding(content: bytes) -> str:
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "is not UTF-8 text, but UTF-16; save it as UTF-8" if utf_16 else "is not UTF-8 text"


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _failed(path: Path | str, line: int, column: int, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), line, column, "", message)])


def _complaint(error: yaml.MarkedYAMLError) -> Complaint:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    begin = (error.context_mark.line, error.context_mark.column) if error.context_mark else None
    return Complaint(error.problem or "", error.context or "", line, column, begin)


def _odd_lines(text: str, root: yaml.Node | None) -> Iterator[tuple[int, int, str]]:
    """Yield where signs that only look like spaces indent a line, save inside quoted text and blocks of text."""
    found = list(unseen(text))
    if found and root:
        covered = {line for node in _scalars(root) if node.style for line in range(*_lines(node))}
        found = [place for place in found if place[0] - 1 not in covered]
    yield from found


def _scalars(root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        else:
            waiting += [part for pair in node.value for part in pair]


def _lines(node: yaml.Node) -> tuple[int, int]:
    """Return the lines that a scalar goes on over, after the one on which it begins."""
    return node.start_mark.line + 1, node.end_mark.line + 1


class _Reader:
    def __init__(self, source: YamlDocument, problems: list[Problem]) -> None:
        self.source = source
        self.problems = problems
        self.open: list[yaml.Node] = []

    def plain(self, node: yaml.Node, location: Location) -> Any:
        self.source._values[location] = _position(node)  # noqa: SLF001 - one noun, two classes
        if len(self.source._values) > _MAX_VALUES:  # noqa: SLF001
            raise OverflowError
        if node.tag not in _PLAIN_TAGS:
            return self.complain(
                location, "has a tag, which has no meaning here; put text that begins with ! in quotes"
            )
        if isinstance(node, yaml.ScalarNode):
            # One of the library's two readers lets these through.
            if _HALF.search(node.value):
                return self.complain(location, "holds half a character (a surrogate)")
            self.note_quotes(node, location)
            return self.scalar(node)
        if any(node is outer for outer in self.open):
            return self.complain(location, "an alias may not stand inside what it names")
        self.open.append(node)
        result = (
            self.sequence(node, location)
            if isinstance(node, yaml.SequenceNode)
            else self.mapping(node, location)
        )
        self.open.pop()
        return result

    def note_quotes(self, node: yaml.ScalarNode, location: Location) -> None:
        """Note where a text begins that is written as it is read, so that a mistake in it has a column."""
        begin, end = node.start_mark, node.end_mark
        quotes = 1 if node.style in ("'", '"') else 0
        if begin.line == end.line and end.column - begin.column == len(node.value) + 2 * quotes:
            self.source._quotes[location] = quotes  # noqa: SLF001 - as above

    def complain(self, location: Location, message: str) -> None:
        self.problems.append(self.source.problem(location, message))

    def complain_of_key(self, key: yaml.Node, location: Location, message: str) -> None:
        self.problems.append(Problem(self.source.file, *_position(key), dotted(location), message))

    def sequence(self, node: yaml.SequenceNode, location: Location) -> list[Any]:
        return [self.plain(item, (*location, index)) for index, item in enumerate(node.value)]

    def mapping(self, node: yaml.Node, location: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.complain_of_key(key, location, "a key must be plain text")
                continue
            if _HALF.search(key.value):
                self.complain_of_key(key, location, "a key holds half a character (a surrogate)")
                continue
            if key.value == "<<":
                self.complain_of_key(key, location, "merge keys (<<) are not supported; write the keys out")
                continue
            inner = (*location, key.value)
            if key.value in result:
                line = self.source._keys[inner][0]  # noqa: SLF001
                self.complain_of_key(key, inner, f"is given twice; first on line {line}")
                continue
            self.source._keys[inner] = _position(key)  # noqa: SLF001
            result[key.value] = self.plain(value, inner)
        return result

    def scalar(self, node: yaml.ScalarNode) -> Any:
        if node.style or node.tag.endswith(":str"):
            return node.value
        if node.value in _WORDS:
            return _WORDS[node.value]
        if len(node.value) > _MAX_DIGITS or not _NUMBER.fullmatch(node.value):
            return node.value
        number = Decimal(node.value)
        return number if "." in node.value else int(number)


def _position(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1

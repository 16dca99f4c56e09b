"""What an operator got wrong: where it is, and what to do."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

Location = tuple[str | int, ...]
"""Where something stands in a document: keys and list positions from the root."""

_SEPARATOR = re.compile(r"[:= ]")


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake of the operator's: where it is and what to do. `path` may be empty (whole file)."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """Write the problem as compilers do, so that editors can jump to it; in one line, and in letters alone."""
        where = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        text = f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"
        return text if text.isprintable() else "".join(map(_seen, text))


def _seen(sign: str) -> str:
    return sign if sign.isprintable() else ascii(sign)[1:-1]


class MisplacedError(ValueError):
    """A mistake inside of a text, `offset` signs after its begin."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class ConfigurationError(Exception):
    """Everything that is wrong with a file, at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


MAX_TOLD = 20
"""Most lines that are written about mistakes that cost one account each: there may be hundreds of accounts."""


def together(problems: Sequence[Problem]) -> str:
    """Write the problems of one account in one line."""
    first, *others = sorted(problems)
    return "; ".join([str(first), *(f"{other.path}: {other.message}" for other in others)])


def dotted(location: Location) -> str:
    """Write a location as people do: `accounts[2].thresholds.critical`.

    Of a key like `api_key:sk-...`, whose space was forgotten, only the beginning is shown: the rest is a secret.
    """
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        begin = _SEPARATOR.split(part, maxsplit=1)
        shown = part if len(begin) == 1 else f"{begin[0]}…"
        text += ("." if text else "") + (shown if shown and shown.isprintable() else json.dumps(shown))
    return text

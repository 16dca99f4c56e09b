"""A credential of an account: where it is kept, and how it is read without ever being shown."""

import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from exporter.files import file_signature, read_file
from exporter.schema.signs import called

MASK = "***"
_MAX_SIZE = 64 * 1024
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Secret:
    """A secret in a file, in an environment variable, or given literally; exactly one of the three.

    Where `nameless`, the name of the file or variable is not shown either, since it may be the secret itself in the
    wrong place.
    """

    file: Path | None = None
    env: str | None = None
    literal: str = field(default="", repr=False)
    nameless: bool = False

    def __repr__(self) -> str:
        """Write where the secret is kept."""
        return f"<Secret: {self.place}>"

    def read(self) -> str:
        """Return the secret without surrounding white space, read afresh.

        Raise ValueError, in words that may be shown, when it is gone, empty, or holds a line break or
        another control character (those would allow a second header to be smuggled into a request).
        """
        value = self._raw().strip()
        if not value:
            raise ValueError(f"{self.place} is empty")
        if not value.isprintable():
            raise ValueError(f"{self.place} {_unprintable(value)}")
        return value

    def _raw(self) -> str:
        if self.file is not None:
            try:
                return self._decoded(read_file(self.file, _MAX_SIZE))
            except OSError as error:
                raise ValueError(f"{self.place} cannot be read: {error.strerror}") from None
        if self.env is not None:
            value = _variable(self.env)
            if value is None:
                raise ValueError(f"{self.place} is not set")
            return value
        return self.literal

    def _decoded(self, content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError:
            advice = ", but UTF-16; save it as UTF-8" if content.startswith(_UTF_16) else ""
            raise ValueError(f"{self.place} is not UTF-8 text{advice}") from None

    def doubt(self) -> str:
        """Return what looks like a mistake in a readable secret, in words that may be shown; else an empty text."""
        value = self.read()
        return next((f"{self.place} {text}" for pattern, text in _MISTAKES if pattern.search(value)), "")

    def exists(self) -> bool:
        """Return whether there is such a file, or such a variable."""
        if self.file is not None:
            return file_signature(self.file) is not None
        return self.env is None or _variable(self.env) is not None

    @property
    def place(self) -> str:
        """Return where the secret is kept."""
        if self.file is not None:
            return "its file" if self.nameless else f"the file {self.file}"
        if self.env is not None:
            return "its environment variable" if self.nameless else f"the environment variable {self.env}"
        return "the value"


_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
_MISTAKES = (
    (re.compile(rf"^[{_QUOTES}]|[{_QUOTES}]$"), "has quotation marks around it, which are sent with it"),
    (
        re.compile(r"^(export\s+)?[A-Za-z_]\w*\s*=\s*[^=\s]", re.ASCII),
        "looks like NAME=VALUE; only the value is wanted",
    ),
    (
        re.compile(r"^(Authorization\s*:|(Bearer|Basic|Token)\s)", re.IGNORECASE),
        "begins like a header; only the key is wanted, since the exporter writes the rest",
    ),
    (re.compile(r"^[{\[].*[}\]]$"), "looks like JSON; only the key is wanted"),
    (re.compile(r"\$\{[^{}]*\}|^\$[A-Za-z_]\w*$"), "looks like a variable, which is not replaced here"),
)
"""How keys are pasted wrongly. A real key may look so too, so that these are doubts and no problems."""


def _variable(name: str) -> str | None:
    try:
        return os.environ.get(name)
    except UnicodeEncodeError:
        return None


def _unprintable(value: str) -> str:
    """Return which character of a secret no key can have, by number and name: both show where it came from."""
    sign = next(sign for sign in value if not sign.isprintable())
    if unicodedata.category(sign) == "Cc":
        return "holds a line break or another control character"
    if sign == _BYTE_ORDER_MARK:
        where = "begins with" if value[0] == sign else "holds"
        return f"{where} a byte order mark (U+FEFF); save it as UTF-8 without one"
    return f"holds an invisible character ({called(sign)})"

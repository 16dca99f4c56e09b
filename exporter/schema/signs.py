"""Invisible characters, which come along when text is pasted: where they stand, and what they are called."""

import re
import unicodedata
from collections.abc import Iterator

_UNSEEN = "\u00a0\u00ad\u1680\u180e\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff"
_AT_THE_BEGIN = re.compile(rf"[ \t]*([{_UNSEEN}])")
_AFTER_A_SIGN = re.compile(rf"^[^#]*?[-:][ \t]*([{_UNSEEN}])")
_ONE = re.compile(f"[{_UNSEEN}]")
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def is_unseen(sign: str) -> bool:
    """Return whether a character is invisible; the space is not."""
    return bool(_ONE.fullmatch(sign))


def called(sign: str) -> str:
    """Return the name of a character as people can look it up: `U+00A0, no-break space`."""
    name = "byte order mark" if sign == "\ufeff" else unicodedata.name(sign, "without a name").lower()
    return f"U+{ord(sign):04X}, {name}"


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as YAML counts them."""
    return _BREAK.split(text)


def unseen(text: str, *, inside: bool = False) -> Iterator[tuple[int, int, str]]:
    """Yield line, column (both from 1) and character where a line is indented with another character than a space.

    With `inside` also where such a character follows a dash or a colon. A byte order mark at the very begin does not
    count: YAML ignores it.
    """
    for number, line in enumerate(lines_of(text.removeprefix("\ufeff")), 1):
        found = _AT_THE_BEGIN.match(line) or (inside and _AFTER_A_SIGN.match(line))
        if found:
            yield number, found.start(1) + 1, found[1]

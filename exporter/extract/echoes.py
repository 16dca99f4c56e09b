"""Whether a text repeats a credential, however the provider spells it: APIs echo keys in names and messages."""

import html
import re
from collections.abc import Callable, Collection, Iterator
from urllib.parse import unquote, unquote_plus

_SHORTEST_KEY = 8
_MOST_LAYERS = 3
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPE_SIGNS = frozenset("\\&%+")


def contains_secret(text: str, secrets: Collection[str]) -> bool:
    """Return whether a text holds one of the secrets, in capitals or small letters, escaped or not.

    One of a few characters must be the whole text: no provider's key is that short, and a trial's `k` is in any text.
    """
    folded = [secret.casefold() for secret in secrets]
    return any(
        secret in spelling if len(secret) >= _SHORTEST_KEY else secret == spelling
        for spelling in _readings(text)
        for secret in folded
    )


def _readings(text: str) -> Iterator[str]:
    """Yield a text, and what it says once the escapes of HTML, JSON and URLs are undone, in any order."""
    seen, layer = {text}, {text}
    yield text.casefold()
    for _ in range(_MOST_LAYERS):
        layer = {
            undo(known) for known in layer if not _ESCAPE_SIGNS.isdisjoint(known) for undo in _UNESCAPE
        } - seen
        seen |= layer
        yield from (reading.casefold() for reading in layer)


def _unescaped(text: str) -> str:
    plain = _ESCAPE.sub(lambda found: found[3] or chr(int(found[1] or found[2], 16)), text)
    # Two escapes may stand for one sign.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_UNESCAPE: tuple[Callable[[str], str], ...] = (html.unescape, _unescaped, unquote, unquote_plus)

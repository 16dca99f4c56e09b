"""Durations as Prometheus writes them: `500ms`, `10s`, `1h30m`."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile("".join(f"(?:(?P<{unit}>[0-9]{{1,9}}){unit})?" for unit in _UNITS), re.ASCII)


def parse(text: object) -> float:
    """Return the seconds of a duration; raise ValueError for anything that Prometheus would not take.

    Units must come in falling order and each at most once, as in Prometheus' own configuration.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text == 0:
        return 0.0
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None and text != "0":
        raise ValueError("is not a duration: write it as 500ms, 10s, 5m or 1h30m")
    return (
        float(sum(int(count) * _UNITS[unit] for unit, count in match.groupdict("0").items()))
        if match
        else 0.0
    )


def text(seconds: float) -> str:
    """Write seconds as Prometheus does; whole milliseconds, the largest units first."""
    rest = round(seconds * 1000)
    words = []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, round(size * 1000))
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"


Duration = Annotated[
    float,
    BeforeValidator(parse),
    WithJsonSchema(
        {"type": ["string", "integer"], "pattern": "^(0|([0-9]+(y|w|d|h|m|s|ms))+)$", "maximum": 0}
    ),
]
"""Seconds, read from a Prometheus duration."""

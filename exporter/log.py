"""The exporter's log: one line an event on standard error, in logfmt or JSON. Nothing secret is ever passed to it."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from traceback import format_tb
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import structlog

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")

MAX_LINE = 500
"""Longest line, in characters, about an account; only that of a bug is as long as its traceback."""

_CUT = "..."
_LONGEST_ESCAPE = 12
_KEPT = frozenset({"ts", "level", "msg", "account", "provider"})

_later: list[tuple[str, str]] = []
"""The level and the format that were set before the library was there."""


class _Lossy:
    """Standard error, whose lines are lost where it cannot be written: a full disk must not stop the exporter."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


class _Brief:
    """A renderer that cuts the texts of a line about an account: an answer may have any number of mistakes in it."""

    def __init__(self, renderer: "structlog.typing.Processor") -> None:
        self._renderer = renderer

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> Any:
        if "account" not in event or "traceback" in event:
            return self._renderer(logger, name, event)
        texts = {key: _cut(str(value), MAX_LINE) for key, value in event.items() if key not in _KEPT}
        line = self._renderer(logger, name, {**event, **texts})
        while len(line) > MAX_LINE and any(len(text) > len(_CUT) for text in texts.values()):
            longest = max(texts, key=lambda key: len(texts[key]))
            # In small steps: only the renderer knows how long an escaped character is.
            less = (len(line) - MAX_LINE) // _LONGEST_ESCAPE + 1
            texts[longest] = _cut(texts[longest], len(texts[longest]) - less)
            line = self._renderer(logger, name, {**event, **texts})
        return line


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - len(_CUT), 0)] + _CUT


def frames(error: BaseException) -> str:
    """Return where an exception was raised, without its own text: that may quote a request or an answer."""
    return "".join(format_tb(error.__traceback__))


def bug(event: str, error: BaseException) -> None:
    """Log a bug of ours: the type of the exception, and where it was raised."""
    logger().error(event, error=type(error).__name__, traceback=frames(error))


def logger() -> Any:
    """Return what writes lines, each in the way that is configured when it is written."""
    import structlog  # noqa: PLC0415 - most commands write no line, and it loads slowly

    if _later:
        _configure(*_later.pop())
    return structlog.get_logger()


def configure(level: str, form: Literal["logfmt", "json"]) -> None:
    """Set the least level that is written, and how; the first line comes later, maybe never."""
    _later[:] = [(level, form)]
    if "structlog" in sys.modules:
        _configure(*_later.pop())


def _configure(level: str, form: str) -> None:
    import structlog  # noqa: PLC0415 - see above

    number = logging.getLevelNamesMapping()["WARNING" if level == "warn" else level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", key="ts"),
            structlog.processors.EventRenamer("msg"),
            _Brief(renderer),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(_Lossy()),  # type: ignore[arg-type] # it only writes and flushes
        cache_logger_on_first_use=False,
    )

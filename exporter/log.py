"""The exporter's log: one line an event on standard error, in logfmt or JSON. Nothing secret is ever passed to it."""

import logging
import sys
from contextlib import suppress
from typing import Literal

import structlog

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")


class _Lossy:
    """Standard error, whose lines are lost where it cannot be written: a full disk must not stop the exporter."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure(level: str, form: Literal["logfmt", "json"]) -> None:
    """Set the least level that is written, and how."""
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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(_Lossy()),  # type: ignore[arg-type] # it only writes and flushes
        cache_logger_on_first_use=False,
    )

"""How many calls a day costs, measured: scrapes of a whole day by a clock that this page turns itself."""

import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

from exporter import log, providers
from exporter.config import Account
from exporter.model import Exchange, Outcome, Reason
from exporter.schema.durations import text as duration_text
from exporter.scrape.caching_collector import CachingCollector

DAY = 86400
SCRAPE_INTERVAL = 60
ROWS = ((3000, 30), (1500, 60), (300, 300), (100, 900), (30, 3600))
"""Allowances of calls a day, and the `min_interval` in seconds that keeps to each."""


class _Provider:
    """A collector whose provider answers one thing after the other, over and over."""

    revision = 1

    def __init__(self, min_interval: float, answers: Sequence[Reason | None]) -> None:
        self.account = Account("a", providers.built_in("apimall"), {}, {}, "", 10.0, min_interval)
        self.calls = 0
        self._answers = cycle(answers)

    def asks_as_before(self) -> bool:
        return True

    def collect(self, _: object) -> Outcome:
        self.calls += 1
        return Outcome(time.time(), 0.0, reason=next(self._answers), exchanges=(Exchange("GET", "", ()),))


def calls(min_interval: float, servers: int, answers: Sequence[Reason | None] = (None,)) -> int:
    """Count the calls of a day in which so many servers scrape one exporter, as far from each other as can be."""
    now = 0.0
    provider: Any = _Provider(min_interval, answers)
    collector = CachingCollector(provider, lambda *_: None, lambda: now)
    waiting: list[Any] = []
    for step in range(DAY * servers // SCRAPE_INTERVAL):
        now = step * SCRAPE_INTERVAL / servers
        answer = collector.request(lambda *call: waiting.append(call))
        for call, future in waiting:
            call(future)
        waiting.clear()
        collector.reading(provider.account, answer, 0.0)
    made: int = provider.calls
    return made


HEAD = (
    "allowance a day",
    "`min_interval`",
    "one Prometheus",
    "HA pair",
    "HA pair, a day of 500",
    "HA pair, a day of 429",
    "an exporter for each of the pair",
)


def rows() -> Iterator[tuple[str, ...]]:
    """Yield an allowance, the `min_interval` for it, and the calls that are made with it, as `HEAD` names them."""
    log.configure("error", "logfmt")
    for allowance, min_interval in ROWS:
        alone = calls(min_interval, 1)
        pair = [
            calls(min_interval, 2, [reason]) for reason in (None, Reason.HTTP_STATUS, Reason.RATE_LIMITED)
        ]
        yield f"{allowance}", f"`{duration_text(min_interval)}`", *map(str, (alone, *pair, 2 * alone))

"""One collection told in plain text, for people who look for the cause. Secrets and bodies are not in it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from exporter.model import Exchange
from exporter.scrape import Reading, Timing
from exporter.scrape.amounts import main_amount
from exporter.scrape.thresholds import effective_thresholds
from exporter.web.ages import age, ahead


def trace(reading: Reading) -> str:
    """Return what was asked, what came back and what became of it, as text."""
    return "\n".join(_lines(reading)) + "\n"


def _lines(reading: Reading) -> Iterator[str]:
    account, outcome = reading.account, reading.outcome
    yield f"account   {account.name}"
    yield f"provider  {account.provider.name} ({account.provider.definition.title})"
    if outcome is None:
        yield "outcome   not asked yet"
        return
    if reading.timing:
        yield f"asked     {_asked(reading.timing, up=outcome.up)}"
    for exchange in outcome.exchanges:
        yield from _exchange(exchange)
    yield f"outcome   {'up' if outcome.up else f'down: {outcome.reason}'}"
    if outcome.detail:
        yield f"detail    {outcome.detail}"
    if outcome.hint:
        yield f"hint      {outcome.hint}"
    yield f"took      {outcome.duration:.3f} s, ended {_moment(outcome.at)}"
    yield f"last good {_moment(reading.last_success)}"
    for wallet in outcome.wallets:
        value, what = main_amount(wallet)
        words = [*([] if value is None else [f"{value}", wallet.currency]), *([what] if what else [])]
        yield f"wallet    {wallet.id}: {' '.join(words)}"
        for level, value in effective_thresholds(account, wallet).items():
            yield f"          {level} under {value}"
    for note in reading.notes:
        yield f"note      {note}"


def _exchange(exchange: Exchange) -> Iterator[str]:
    yield f"request   {exchange.method} {exchange.url}"
    yield f"headers   {', '.join(exchange.headers)}"
    if exchange.proxy:
        yield f"proxy     {exchange.proxy}"
    if exchange.trusts:
        yield f"trusts    {exchange.trusts}"
    answer = "none" if exchange.status is None else f"HTTP status {exchange.status}"
    size = "" if exchange.size is None else f", {exchange.size} bytes"
    yield f"answer    {answer}{size}, after {exchange.seconds:.3f} s"


def _asked(timing: Timing, *, up: bool) -> str:
    """Return whether the provider was asked just now, or when it was, and when it is again."""
    if timing.age is None:
        return "nobody; it is looked at anew at every scrape"
    soon = "at the next scrape" if timing.next_in <= 0 else f"in {ahead(timing.next_in)}"
    before = f"{'read' if up else 'failed'} {age(timing.age)} ago, next request {soon}"
    return f"now, next request {soon}" if timing.asked else f"before: {before}"


def _moment(timestamp: float | None) -> str:
    return (
        "never" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")
    )

"""A limit of requests in time, as the exporter-toolkit has it: a bucket of tokens, one for each request."""

import math
import re
import time
from decimal import Decimal
from threading import Lock
from typing import Annotated

from pydantic import BeforeValidator, Field

from exporter.schema.fields import Strict

_UNITS = {
    unit: Decimal(seconds)
    for unit, seconds in (
        ("h", 3600),
        ("m", 60),
        ("s", 1),
        ("ms", "1e-3"),
        ("us", "1e-6"),
        ("µs", "1e-6"),
        ("ns", "1e-9"),
    )
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s|us|µs|ns)")
_DURATION = re.compile(f"(?:{_PART.pattern}){{1,10}}")


def _seconds(value: object) -> float:
    """Read a duration as Go writes them, which has no days and is not how the exporter's own file has them."""
    if value in (0, "0") and not isinstance(value, bool):
        return 0.0
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(
            "is not a duration as this file has them: write 500ms, 10s or 1h30m, or 0 for no limit"
        )
    return float(sum((Decimal(count) * _UNITS[unit] for count, unit in _PART.findall(value)), Decimal(0)))


class RateLimitSettings(Strict):
    """`rate_limit`: one request an interval, and so many at once after a pause."""

    interval: Annotated[float, BeforeValidator(_seconds)] = Field(
        default=0.0,
        description="time after which one more request is answered, as Go writes it (`500ms`, `1h30m`); 0 (default) "
        "is no limit. Over the limit the answer is 429. `/-/healthy` and `/-/ready` do not count",
    )
    burst: int = Field(
        default=0,
        ge=0,
        strict=True,
        description="requests that are answered at once after a pause; with 0 every request is refused",
    )


class RateLimit:
    """Counts requests against a limit."""

    def __init__(self, settings: RateLimitSettings) -> None:
        self.settings = settings
        self._lock = Lock()
        self._tokens = float(settings.burst)
        self._counted = time.monotonic()

    @property
    def retry_after(self) -> int:
        """Return the whole seconds after which a refused request may come again."""
        return max(1, math.ceil(self.settings.interval))

    def allows(self) -> bool:
        """Count a request, and return whether it may be answered."""
        if not self.settings.interval:
            return True
        with self._lock:
            now = time.monotonic()
            gained = (now - self._counted) / self.settings.interval
            self._tokens = min(self._tokens + gained, self.settings.burst)
            self._counted = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

"""The variables that every request may use without declaring them: dates, and an id of its own."""

from datetime import UTC, datetime, time
from uuid import uuid4

_DAYS = ("today", "month_start")
_FORMS = ("", "_unix", "_rfc3339")
BUILT_IN = frozenset({"uuid", *(f"{day}{form}" for day in _DAYS for form in _FORMS)})
"""Their names, which no credential, param or given value may have."""


def built_in(now: datetime | None = None) -> dict[str, str]:
    """Return the values for a request that is made at a moment; without one, now."""
    today = datetime.combine((now or datetime.now(UTC)).astimezone(UTC), time(), UTC)
    values = {"uuid": str(uuid4())}
    for name, day in zip(_DAYS, (today, today.replace(day=1)), strict=True):
        values[name] = f"{day:%Y-%m-%d}"
        values[f"{name}_unix"] = str(int(day.timestamp()))
        values[f"{name}_rfc3339"] = f"{day:%Y-%m-%dT%H:%M:%SZ}"
    return values
